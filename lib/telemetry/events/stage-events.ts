import type { EventEntry } from '../event-entry.ts';

/** The pipelines: cleanup after a disconnect, and the stages. */
export const stageEvents = {
  'cleanup.flushed': {
    level: 'info',
    doc: 'A batch of ended connections was settled: their subscriptions are gone.',
    fields: { batchSize: 'number', leaves: 'number', durationMs: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cleanup_connections_total',
        help: 'Ended connections settled in batches',
        by: 'batchSize',
      },
      {
        kind: 'counter',
        name: 'spillway_cleanup_leaves_total',
        help: 'Subscriptions removed by cleanup',
        by: 'leaves',
      },
      {
        kind: 'histogram',
        name: 'spillway_cleanup_duration_seconds',
        help: 'Time to settle one batch',
        of: 'durationMs',
      },
      {
        kind: 'histogram',
        name: 'spillway_cleanup_batch_size',
        help: 'Ended connections and unsubscribes settled in one batch',
        of: 'batchSize',
        buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      },
    ],
  },
  'cleanup.fallback': {
    level: 'warn',
    doc: 'One departure was settled at once instead of in a batch: its queue is full or was full too often.',
    limited: true,
    fields: { reason: ['queue-full', 'breaker-open'], queued: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cleanup_fallback_total',
        help: 'Ended connections settled at once, by reason',
        labels: ['reason'],
      },
    ],
  },
  'cleanup.breaker-opened': {
    level: 'warn',
    doc: 'The cleanup queue was full so often that it is skipped for a while: departures are settled at once.',
    fields: { queued: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cleanup_breaker_opened_total',
        help: 'Times the cleanup queue was full too often',
      },
    ],
  },
  'cleanup.breaker-closed': {
    level: 'info',
    doc: 'The cleanup queue has room again and is used again.',
    fields: {},
  },
  'cleanup.failed': {
    level: 'error',
    doc: 'A store failed while a batch was settled: nothing is lost, the batch is tried again after a pause.',
    limited: true,
    fields: { batchSize: 'number', attempt: 'number', pauseMs: 'number', err: 'error' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cleanup_retries_total',
        help: 'Batches whose stores failed and that are tried again',
      },
    ],
  },
  'cleanup.late': {
    level: 'warn',
    doc: 'A store has not answered a batch in time: other batches go ahead, its answer is waited for.',
    limited: true,
    fields: { batchSize: 'number', timeoutMs: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cleanup_late_total',
        help: 'Batches whose stores answered late',
      },
    ],
  },
  'stage.loaded': {
    level: 'info',
    doc: 'A stage of yours was loaded and put into its slot.',
    fields: { stage: 'string', slot: 'string', file: 'string' },
  },
  'stage.failed': {
    level: 'of-error',
    doc: 'A stage threw or took too long: one item is lost, the stream goes on.',
    fields: { stage: 'string', pipeline: 'string', code: 'code', err: 'error' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_stage_failures_total',
        help: 'Items lost because a stage threw or took too long',
        labels: ['stage', 'code'],
      },
    ],
  },
  'stage.overflow': {
    level: 'warn',
    doc: 'More items waited for a stage than its cap allows, and the overflow policy was applied.',
    fields: { stage: 'string', policy: 'string', dropped: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_stage_overflow_total',
        help: 'Items turned away in front of a stage, by overflow policy',
        labels: ['stage', 'policy'],
        by: 'dropped',
      },
    ],
  },
  'stage.restarted': {
    level: 'warn',
    doc: 'The stream of a stage ended with an error and was started again; what it held is lost.',
    fields: { stage: 'string', attempt: 'number', lost: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_stage_restarts_total',
        help: 'Streams started again after an error',
        labels: ['stage'],
      },
      {
        kind: 'counter',
        name: 'spillway_stage_lost_total',
        help: 'Items held by a stream when it ended',
        labels: ['stage'],
        by: 'lost',
      },
    ],
  },
  'stage.tripped': {
    level: 'warn',
    doc: 'A stage failed so often that it is passed over until it recovers.',
    fields: { stage: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_stage_trips_total',
        help: 'Times a stage was passed over',
        labels: ['stage'],
      },
    ],
  },
  'stage.log': {
    level: 'info',
    doc: 'A stage of yours wrote a line.',
    fields: { stage: 'string', message: 'string', detail: 'string?' },
  },
  'stage.warning': {
    level: 'warn',
    doc: 'A stage of yours wrote a warning.',
    fields: { stage: 'string', message: 'string', detail: 'string?' },
  },
  'stage.recovered': {
    level: 'info',
    doc: 'A stage that was passed over is used again.',
    fields: { stage: 'string' },
  },
} as const satisfies Record<string, EventEntry>;
