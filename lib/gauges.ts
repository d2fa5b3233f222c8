import type { Edge } from './edge/edge.ts';
import type { Parts } from './parts.ts';
import type { StageStats } from './stages/bound-stage.ts';
import type { RunningPipeline } from './stages/runner.ts';
import type { Metrics, Reading } from './telemetry/metrics.ts';

/** What is, read when `/metrics` is asked for: every queue has its depth here (docs/queues.md). */
export function registerGauges(
  metrics: Metrics,
  parts: Parts,
  edge: Edge,
  pipelines: readonly RunningPipeline[],
): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.registerGauge(name, help, read);
  gauge('spillway_sockets', 'Open sockets, those never established or closing included', () => edge.open);
  gauge('spillway_connections', 'Established connections', () => parts.connections.size);
  gauge('spillway_channels', 'Channels this node has anything to do with', () => parts.channels.size);
  gauge('spillway_subscriptions', 'Subscriptions of this node', () => parts.subscriptions.size);
  gauge('spillway_signed_in_users', 'Users signed in on this node', () => parts.signedIn.size);
  gauge('spillway_watchers', 'Connections that watch users', () => parts.watchlists.size);
  gauge('spillway_fanout_pending', 'Entries that wait for the next flush', () => parts.fanout.depth);
  gauge('spillway_waiting_frames', 'Frames that wait behind a slow one', () => parts.connectionLanes.depth);
  gauge(
    'spillway_waiting_events',
    'Events that wait behind one of their channel',
    () => parts.publishLanes.depth,
  );
  metrics.registerCounter('spillway_fanout_encoded_total', 'Events encoded', () => parts.fanout.encoded);
  metrics.registerCounter('spillway_fanout_writes_total', 'Writes to sockets', () => parts.fanout.writes);
  registerStageMetrics(
    metrics,
    pipelines.flatMap((pipeline) => pipeline.stats),
  );
}

function registerStageMetrics(metrics: Metrics, stats: readonly StageStats[]): void {
  const each = (read: (stage: StageStats) => number) => (): readonly Reading[] =>
    stats.map((stage) => ({ labels: { pipeline: stage.pipeline, stage: stage.stage }, value: read(stage) }));
  metrics.registerCounter(
    'spillway_stage_received_total',
    'Items a stage received',
    each((s) => s.received),
  );
  metrics.registerCounter(
    'spillway_stage_passed_total',
    'Items a stage passed on',
    each((s) => s.passed),
  );
  metrics.registerCounter(
    'spillway_stage_dropped_total',
    'Items a stage dropped',
    each((s) => s.dropped),
  );
  metrics.registerCounter(
    'spillway_stage_failed_total',
    'Items a stage failed on',
    each((s) => s.failed),
  );
  metrics.registerCounter(
    'spillway_stage_overflowed_total',
    'Items that found a queue full',
    each((s) => s.overflowed),
  );
  metrics.registerGauge(
    'spillway_stage_depth',
    'Items in the queue of a stage',
    each((s) => s.depth()),
  );
  metrics.registerGauge(
    'spillway_stage_oldest_seconds',
    'Age of the oldest item there',
    each((s) => s.oldestAgeMs() / 1000),
  );
  metrics.registerGauge(
    'spillway_stage_latency_seconds',
    'Mean time of a stage, sampled',
    each((s) => (s.samples === 0 ? 0 : s.sampledMs / s.samples / 1000)),
  );
  metrics.registerCounter('spillway_stage_custom_total', 'What stages of yours count', () =>
    stats.flatMap((stage) =>
      [...stage.custom].map(([name, value]) => ({ labels: { stage: stage.stage, name }, value })),
    ),
  );
}
