import type { Edge } from './edge/edge.ts';
import { andThen } from './flow/maybe-promise.ts';
import type { Backlog } from './outbox/archive.ts';
import type { Parts } from './parts.ts';
import type { StageStats } from './stages/bound-stage.ts';
import type { RunningPipeline } from './stages/runner.ts';
import type { Metrics, Reading } from './telemetry/metrics.ts';
import type { EndpointStatus } from './webhooks/schedule.ts';

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
  gauge(
    'spillway_announce_pending',
    'Membership announcements that wait for the end of a window',
    () => parts.announcer.pending,
  );
  gauge(
    'spillway_welcome_waiting',
    'Presence joiners that wait for their snapshot',
    () => parts.welcomes.waiting,
  );
  registerAnnouncing(metrics, parts);
  for (const { name, help, read } of parts.stores.gauges) gauge(name, help, read);
  for (const { name, help, read } of parts.stores.counters ?? []) metrics.registerCounter(name, help, read);
  metrics.registerCounter('spillway_fanout_encoded_total', 'Events encoded', () => parts.fanout.encoded);
  metrics.registerCounter('spillway_fanout_writes_total', 'Writes to sockets', () => parts.fanout.writes);
  registerWebhookMetrics(metrics, parts);
  registerStageMetrics(
    metrics,
    pipelines.flatMap((pipeline) => pipeline.stats),
  );
}

function registerAnnouncing(metrics: Metrics, { announcer, welcomes }: Parts): void {
  const counter = (name: string, help: string, read: () => number): void =>
    metrics.registerCounter(name, help, read);
  counter(
    'spillway_announce_passes_total',
    'Announcements made, each to all subscribers of a channel',
    () => announcer.passes,
  );
  counter(
    'spillway_announce_inline_total',
    'Announcements made early, for too many changes waited',
    () => announcer.inlinePasses,
  );
  counter(
    'spillway_welcome_snapshots_total',
    'Presence snapshots serialised, each for all joiners of a window',
    () => welcomes.snapshots,
  );
  counter('spillway_welcomed_total', 'Presence joiners that were shown a snapshot', () => welcomes.welcomed);
}

/** What each endpoint has yet to be told, and how it is. */
function registerWebhookMetrics(metrics: Metrics, { outbox, schedule, clock }: Parts): void {
  const askBacklogs = sharedFor(backlogsMs, () => outbox.backlogs());
  const backlog = (name: string, help: string, read: (backlog: Backlog) => number): void =>
    metrics.registerGauge(name, help, () =>
      andThen(askBacklogs(), (backlogs) =>
        backlogs.map((each) => ({ labels: labelsOf(each), value: read(each) })),
      ),
    );
  const endpoint = (name: string, help: string, read: (status: EndpointStatus) => number): void =>
    metrics.registerGauge(name, help, () =>
      schedule.status().map((each) => ({ labels: labelsOf(each), value: read(each) })),
    );
  backlog('spillway_webhook_backlog_events', 'Events not delivered to an endpoint', (b) => b.events);
  backlog('spillway_webhook_backlog_bytes', 'Bytes of events not delivered', (b) => b.bytes);
  backlog('spillway_webhook_oldest_seconds', 'Age of the oldest event not delivered', (b) =>
    b.oldestAtMs === undefined ? 0 : Math.max(0, clock.now() - b.oldestAtMs) / 1000,
  );
  backlog('spillway_webhook_dead_letters', 'Events given up, kept for a replay', (b) => b.deadLetters);
  endpoint('spillway_webhook_in_flight', 'Requests to an endpoint under way', (s) => s.inFlight);
  endpoint('spillway_webhook_due_lanes', 'Lanes that wait for a slot', (s) => s.due);
  endpoint('spillway_webhook_waiting_lanes', 'Lanes that wait for their next attempt', (s) => s.waiting);
  endpoint(
    'spillway_webhook_breaker',
    'Breaker of an endpoint: 0 closed, 1 half-open, 2 open, 3 paused by a 410',
    (s) => breakerStates.indexOf(s.state),
  );
}

/** Several metrics are read from one answer, and so often at most is a store that is elsewhere asked for it. */
const backlogsMs = 1_000;

/** Answers the same to everybody who asks within so long, failures too: each question may go to every partition. */
function sharedFor<T>(lastsMs: number, ask: () => T): () => T {
  let last: { readonly answer: T; readonly atMs: number } | undefined;
  return () => {
    const atMs = performance.now();
    if (last === undefined || atMs - last.atMs >= lastsMs) last = { answer: ask(), atMs };
    return last.answer;
  };
}

const breakerStates: readonly EndpointStatus['state'][] = ['closed', 'half-open', 'open', 'paused'];

function labelsOf({ appId, endpointId }: Pick<Backlog, 'appId' | 'endpointId'>): Reading['labels'] {
  return { appId, endpointId };
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
    'spillway_stage_breaker',
    'Breaker of a stage or its queue: 0 closed, 1 open',
    each((s) => Number(s.isBreakerOpen())),
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
