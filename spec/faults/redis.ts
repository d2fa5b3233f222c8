import type { Fault } from '../chaos/cluster/faults.ts';
import { pause } from '../chaos/cluster/pause.ts';
import { RigCluster } from '../chaos/cluster/rig-cluster.ts';
import { strike } from '../chaos/cluster/strike.ts';
import type { Times } from '../chaos/cluster/times.ts';
import { allowancesOf } from '../chaos/cluster/told-problems.ts';
import { Loaded } from './loaded.ts';
import type { Outcome } from './outcome.ts';

export interface RedisFaultsOptions {
  /** One after the other, each under load. */
  readonly faults: readonly Fault[];
  readonly times: Times;
  readonly seed: number;
  /** From the end of each fault until all agree. */
  readonly withinMs: number;
  /** Nobody was away for longer than Redis itself: nobody may be taken for dead. */
  readonly allLive: boolean;
}

const before = 1_000;
const settings = { cleanup: {}, drain: {} };

/** Two nodes under load while that happens to their Redis, and what is wrong afterwards. */
export async function strikeRedisUnderLoad(name: string, options: RedisFaultsOptions): Promise<Outcome> {
  const { times, seed, withinMs } = options;
  const cluster = await RigCluster.start({ nodes: 2, appendfsync: 'everysec', times, settings });
  const plan = {
    nodes: 2,
    appendfsync: 'everysec' as const,
    faults: options.faults.map((fault) => ({ atMs: 0, fault })),
  };
  const loadable = {
    nodes: cluster.nodes,
    receivers: cluster.receivers,
    redisPort: () => cluster.redis?.port ?? 0,
  };
  const loaded = new Loaded(loadable, allowancesOf(plan), seed);
  try {
    const settled: number[] = [];
    const problems: string[] = [];
    for (const fault of options.faults) {
      await loaded.during(pause(before).then(() => strike(fault, cluster, loaded.swarm)));
      const { tookMs, late, problems: left } = await loaded.settle(withinMs);
      settled.push(tookMs);
      const what = `after ${JSON.stringify(fault)}`;
      problems.push(
        ...left.map((problem) => `${what}: ${problem}`),
        ...late.map((problem) => `${what}, only after ${tookMs} ms: ${problem}`),
      );
      if (left.length > 0) break;
    }
    const fenced = await loaded.counted('spillway_cluster_begun_anew_total', 'cause', 'fenced');
    const presumed = loaded.toldAs('node_lost');
    if (options.allLive && fenced + presumed > 0)
      problems.push(`the living were taken for dead: fenced ${fenced} times, ${presumed} events told of it`);
    return {
      figures: {
        [`${name}: faults`]: options.faults.length,
        [`${name}: settled in ms`]: spread(settled),
        [`${name}: lost batches found`]: await loaded.countedInAll('spillway_cluster_lost_batches_total'),
        [`${name}: begun anew`]: `${fenced} fenced, ${await anew(loaded, 'wiped')} wiped, ${await anew(loaded, 'lost')} lost`,
        [`${name}: told as`]: `${loaded.toldAs('reconciled')} reconciled, ${presumed} node_lost`,
        [`${name}: load`]: JSON.stringify(loaded.tally),
      },
      problems: [...problems, ...loaded.problems()].map((problem) => `${name}: ${problem}`),
    };
  } finally {
    loaded.stop();
    await cluster.stop();
  }
}

/** The store comes back after so long. */
export function kills(count: number, fromMs: number, toMs: number): readonly Fault[] {
  const step = (toMs - fromMs) / Math.max(1, count - 1);
  return Array.from({ length: count }, (_, index) => ({
    kind: 'redis-kill' as const,
    forMs: Math.round(fromMs + index * step),
  }));
}

function anew(loaded: Loaded, cause: string): Promise<number> {
  return loaded.counted('spillway_cluster_begun_anew_total', 'cause', cause);
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((one, other) => one - other);
  return `${sorted[0]} to ${sorted.at(-1)}, median ${sorted[Math.floor(sorted.length / 2)]}`;
}
