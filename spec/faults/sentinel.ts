import { appNames, apps } from '../chaos/cluster/apps.ts';
import { pause } from '../chaos/cluster/pause.ts';
import { RigNode } from '../chaos/cluster/rig-node.ts';
import type { Times } from '../chaos/cluster/times.ts';
import { startReceiver } from '../support/receiver.ts';
import { type RedisServer, type SentinelGroup, startSentinel } from '../support/redis.ts';
import { Loaded } from './loaded.ts';
import type { Outcome } from './outcome.ts';

export interface FailoverOptions {
  readonly times: Times;
  readonly seed: number;
  readonly withinMs: number;
}

const before = 2_000;

/** Under load the master of a Sentinel group is killed and its replica takes over, without what had not reached it. */
export async function failOver({ times, seed, withinMs }: FailoverOptions): Promise<Outcome> {
  const group = await startSentinel();
  const receivers = { one: await startReceiver(apps.one), two: await startReceiver(apps.two) };
  const config = {
    apps: appNames.map((app) => ({
      ...apps[app],
      subscriptionCount: true,
      webhooks: [{ id: `all-${app}`, url: receivers[app].url }],
    })),
    redis: { url: group.master.url, sentinels: { name: group.name, nodes: group.nodes } },
    cluster: times.cluster,
    webhooks: times.webhooks,
  };
  const nodes = ['a', 'b'].map((name) => new RigNode(name, config, undefined));
  await Promise.all(nodes.map((node) => node.start()));
  let state: RedisServer = group.master;
  const allowances = { losesStore: true, mayForget: false, mayMissVisits: true };
  const loaded = new Loaded({ nodes, receivers, redisPort: () => state.port }, allowances, seed);
  try {
    await loaded.during(pause(before).then(() => loseMaster(group)));
    state = group.replica;
    const { tookMs, late, problems } = await loaded.settle(withinMs);
    return {
      figures: {
        'failover: settled in ms': tookMs,
        'failover: lost batches found': await loaded.countedInAll('spillway_cluster_lost_batches_total'),
        'failover: told as': `${loaded.toldAs('reconciled')} reconciled, ${loaded.toldAs('node_lost')} node_lost`,
      },
      problems: [...problems, ...late, ...loaded.problems()],
    };
  } finally {
    loaded.stop();
    for (const node of nodes) node.kill();
    await Promise.all(appNames.map((app) => receivers[app].stop()));
    await group.stop();
  }
}

async function loseMaster(group: SentinelGroup): Promise<void> {
  const switched = group.untilSwitched();
  await group.master.kill();
  await switched;
}
