import { type Aggregator, AggregatorRegistry } from 'prom-client';
import type { MetricsSnapshot } from './metrics.ts';

type Metric = MetricsSnapshot[number];

/**
 * Gauges that are no sums. Every worker reads the backlogs and the nodes of the cluster from the same store; of ages,
 * delays and breakers the worst is what an operator has to see.
 */
const aggregators: Readonly<Record<string, Aggregator>> = {
  spillway_redis_up: 'min',
  spillway_redis_script_mean_seconds: 'max',
  spillway_bus_lag_seconds: 'max',
  spillway_cluster_live_nodes: 'max',
  spillway_cluster_lease_age_seconds: 'max',
  spillway_stage_oldest_seconds: 'max',
  spillway_stage_latency_seconds: 'max',
  spillway_stage_breaker: 'max',
  spillway_webhook_breaker: 'max',
  spillway_webhook_backlog_events: 'max',
  spillway_webhook_backlog_bytes: 'max',
  spillway_webhook_oldest_seconds: 'max',
  spillway_webhook_dead_letters: 'max',
  spillway_nodejs_eventloop_lag_seconds: 'max',
  spillway_nodejs_eventloop_lag_mean_seconds: 'max',
  spillway_nodejs_eventloop_lag_stddev_seconds: 'max',
  spillway_nodejs_eventloop_lag_p50_seconds: 'max',
  spillway_nodejs_eventloop_lag_p90_seconds: 'max',
  spillway_nodejs_eventloop_lag_p99_seconds: 'max',
};

/** The names above, for the spec that compares them with what servers have. */
export const notSummed: readonly string[] = Object.keys(aggregators);

/** The metrics of several processes as one text: counters and histograms are sums, gauges too unless named above. */
export class MergedMetrics {
  /** What processes that have ended counted: without it every counter would fall when one ends. */
  #retired: Promise<MetricsSnapshot> = Promise.resolve([]);

  /** Takes up what a process counted that has ended; its gauges are gone with it. */
  retire(snapshot: MetricsSnapshot): void {
    const growing = snapshot.filter(isGrowing);
    this.#retired = this.#retired.then((retired) => merged([retired, growing]).getMetricsAsJSON());
  }

  /** The text of `/metrics`. */
  async text(snapshots: readonly MetricsSnapshot[]): Promise<string> {
    return merged([...snapshots, await this.#retired]).metrics();
  }
}

function merged(snapshots: readonly MetricsSnapshot[]) {
  return AggregatorRegistry.aggregate(snapshots.map((metrics) => metrics.map(withAggregator)));
}

function withAggregator(metric: Metric): Metric {
  const aggregator = aggregators[metric.name];
  return aggregator === undefined ? metric : { ...metric, aggregator };
}

/** The kind is a word, whatever the types of the library say. */
function isGrowing({ type }: Metric): boolean {
  const kind = String(type);
  return kind === 'counter' || kind === 'histogram';
}
