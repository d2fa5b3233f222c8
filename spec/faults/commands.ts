import { pause, untilNone } from '../chaos/cluster/pause.ts';
import { RigCluster } from '../chaos/cluster/rig-cluster.ts';
import { real } from '../chaos/cluster/times.ts';
import type { RedisServer } from '../support/redis.ts';
import { countCommands } from './command-counts.ts';
import { Crowd } from './crowd.ts';
import { above, type Outcome } from './outcome.ts';

export interface DisconnectsOptions {
  readonly sockets: number;
  readonly channels: number;
  readonly mostScripts: number;
}

const settleMs = 60_000;

/** All sockets of one node end at once, by a reset: what does Redis have to do until it knows? */
export async function dropAll({ sockets, channels, mostScripts }: DisconnectsOptions): Promise<Outcome> {
  const { cluster, redis } = await startNodes(1);
  const crowd = new Crowd(sockets, channels);
  const { journal } = cluster.receivers.one;
  try {
    const openMs = await crowd.open([cluster.nodes[0]?.target?.port ?? 0]);
    // Half of the sockets are users of presence channels.
    const events = channels + sockets / 2;
    await journal.until(({ eventCount }) => eventCount === events);
    const before = await countCommands(redis);
    const startedMs = performance.now();
    await crowd.drop('reset');
    const left = await untilNone(async () => indexesIn(redis), settleMs, 20);
    const settledMs = Math.round(performance.now() - startedMs);
    const scripts = (await countCommands(redis)).scripts - before.scripts;
    await journal.until(({ eventCount }) => eventCount === 2 * events);
    const scriptsUntilTold = (await countCommands(redis)).scripts - before.scripts;
    return {
      figures: { openMs, settledMs, scripts, scriptsUntilTold },
      problems: [...left, ...above(`script calls for ${sockets} disconnects`, scripts, mostScripts)],
    };
  } finally {
    await crowd.stop();
    await cluster.stop();
  }
}

export interface IdleOptions {
  readonly nodes: number;
  readonly forMs: number;
  readonly mostPerSecond: number;
}

/** Nodes with nothing to do: what do they ask of Redis, each? */
export async function idle({ nodes, forMs, mostPerSecond }: IdleOptions): Promise<Outcome> {
  const { cluster, redis } = await startNodes(nodes);
  try {
    // Partitions find their owners within two renewals.
    await pause(2 * real.cluster.renewMs);
    const before = await countCommands(redis);
    const startedMs = performance.now();
    await pause(forMs);
    const after = await countCommands(redis);
    const nodeSeconds = (nodes * (performance.now() - startedMs)) / 1_000;
    // One of them is the question itself.
    const perSecond = (after.sent - before.sent - 1) / nodeSeconds;
    return {
      figures: {
        [`commands/s, ${nodes} idle`]: perSecond.toFixed(2),
        [`scripts/s, ${nodes} idle`]: ((after.scripts - before.scripts) / nodeSeconds).toFixed(2),
      },
      problems: above(`commands a second of each of ${nodes} idle nodes`, perSecond, mostPerSecond),
    };
  } finally {
    await cluster.stop();
  }
}

async function startNodes(
  nodes: number,
): Promise<{ readonly cluster: RigCluster; readonly redis: RedisServer }> {
  const settings = { cleanup: {}, drain: {} };
  const cluster = await RigCluster.start({ nodes, appendfsync: 'everysec', times: real, settings });
  const { redis } = cluster;
  if (redis === undefined) throw new Error('it has no Redis');
  return { cluster, redis };
}

/** What nodes hold by the indexes of the store. */
async function indexesIn(redis: RedisServer): Promise<readonly string[]> {
  const keys = await redis.cli('KEYS', '*}:i[cu]:*');
  return keys === '' ? [] : keys.split('\n').map((key) => `${key} is still there`);
}
