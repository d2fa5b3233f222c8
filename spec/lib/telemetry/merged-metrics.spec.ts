import { describe, expect, test } from '@jest/globals';
import { Counter, Gauge, Histogram } from 'prom-client';
import { MergedMetrics } from '../../../lib/telemetry/merged-metrics.ts';
import { Metrics, type MetricsSnapshot } from '../../../lib/telemetry/metrics.ts';

interface Values {
  readonly sent?: number;
  readonly depth?: number;
  readonly redisUp?: number;
  readonly backlog?: number;
  readonly seconds?: readonly number[];
}

function snapshotOf({ sent = 0, depth = 0, redisUp = 1, backlog = 0, seconds = [] }: Values) {
  const metrics = new Metrics({ process: false });
  const registers = [metrics.registry];
  new Counter({ name: 'spillway_sent_total', help: 'h', labelNames: ['app'], registers }).inc(
    { app: 'a' },
    sent,
  );
  new Gauge({ name: 'spillway_depth', help: 'h', registers }).set(depth);
  new Gauge({ name: 'spillway_redis_up', help: 'h', registers }).set(redisUp);
  new Gauge({ name: 'spillway_webhook_backlog_events', help: 'h', registers }).set(backlog);
  const histogram = new Histogram({ name: 'spillway_time_seconds', help: 'h', buckets: [1, 10], registers });
  for (const value of seconds) histogram.observe(value);
  return metrics.snapshot();
}

async function linesOf(merged: MergedMetrics, ...snapshots: readonly MetricsSnapshot[]) {
  const text = await merged.text(snapshots);
  return new Map(
    text
      .split('\n')
      .filter((line) => line.startsWith('spillway_'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))] as const;
      }),
  );
}

describe('the metrics of several processes', () => {
  test('are sums of counters, histograms and gauges', async () => {
    const lines = await linesOf(
      new MergedMetrics(),
      await snapshotOf({ sent: 3, depth: 4, seconds: [0.5, 20] }),
      await snapshotOf({ sent: 5, depth: 6, seconds: [5] }),
    );
    expect(lines.get('spillway_sent_total{app="a"}')).toBe(8);
    expect(lines.get('spillway_depth')).toBe(10);
    expect(lines.get('spillway_time_seconds_count')).toBe(3);
    expect(lines.get('spillway_time_seconds_bucket{le="10"}')).toBe(2);
  });

  test('are the worst, or what all of them read from one store, where a sum would be wrong', async () => {
    const lines = await linesOf(
      new MergedMetrics(),
      await snapshotOf({ redisUp: 1, backlog: 7 }),
      await snapshotOf({ redisUp: 0, backlog: 7 }),
    );
    expect(lines.get('spillway_redis_up')).toBe(0);
    expect(lines.get('spillway_webhook_backlog_events')).toBe(7);
  });

  test('keep what processes counted that have ended, without their gauges', async () => {
    const merged = new MergedMetrics();
    merged.retire(await snapshotOf({ sent: 3, depth: 4, redisUp: 0, seconds: [5] }));
    merged.retire(await snapshotOf({ sent: 10, depth: 4, seconds: [5] }));
    const lines = await linesOf(merged, await snapshotOf({ sent: 1, depth: 2, seconds: [5] }));
    expect(lines.get('spillway_sent_total{app="a"}')).toBe(14);
    expect(lines.get('spillway_time_seconds_count')).toBe(3);
    expect(lines.get('spillway_depth')).toBe(2);
    expect(lines.get('spillway_redis_up')).toBe(1);
  });
});
