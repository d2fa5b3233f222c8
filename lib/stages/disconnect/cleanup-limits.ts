import { availableParallelism } from 'node:os';
import type { Config } from '../../../config/schema.ts';
import type { BatchReports } from '../../flow/batch-effect.ts';
import { nextTurn } from '../../flow/fair-batches.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { Departure } from '../events.ts';
import type { Services } from '../services.ts';
import type { BatchStageLimits } from '../stage.ts';

/** How long a batch may hold its slot while its stores do not answer. */
const slotMs = 10_000;
/** More than ten departures in a row that find the queue full: it is skipped for a while. */
const breaker = { refusals: 11, resetMs: 30_000 };
const retryPausesMs = [100, 1_000, 5_000, 30_000] as const;

/** A departure with more subscriptions than this counts as several in a batch: what the store is told at once stays small. */
const leavesPerDeparture = 16;

/**
 * Batches that wait for Redis at once: they cost nothing while they wait, and meet there. So many, of the usual size, fill
 * one script of each partition.
 */
const slotsWithRedis = 64;

/** How departures are settled: `cleanup` of the configuration, and what the log hears of it. */
export function cleanupLimits(
  { cleanup, redis }: Config,
  { telemetry }: Pick<Services, 'telemetry'>,
): BatchStageLimits<Departure> {
  return {
    mode: cleanup.mode,
    batch: {
      maxSize: cleanup.batchSize,
      maxWaitMs: cleanup.batchWindowMs,
      by: ({ departed }) => departed.connection.app.id,
      weightOf: ({ leaves }) => Math.max(1, leaves.length / leavesPerDeparture),
      pacedBy: nextTurn,
      isUrgent: ({ leaves }) => leaves.some(({ channel }) => channel.name.kind === 'presence'),
    },
    concurrency: cleanup.concurrency === 'auto' ? autoSlots(redis) : cleanup.concurrency,
    timeoutMs: slotMs,
    retryPausesMs,
    queue: { capacity: cleanup.queueCapacity, overflow: 'inline', breaker },
    reports: toldIn(telemetry),
  };
}

function autoSlots(redis: Config['redis']): number {
  if (redis !== undefined) return slotsWithRedis;
  return Math.min(4, Math.max(1, Math.floor(availableParallelism() / 4)));
}

function toldIn(telemetry: Telemetry): BatchReports {
  return {
    onInline: (reason, queued) => telemetry.emit('cleanup.fallback', { reason, queued }),
    onBreakerOpened: (queued) => telemetry.emit('cleanup.breaker-opened', { queued }),
    onBreakerClosed: () => telemetry.emit('cleanup.breaker-closed', {}),
    onRetry: (err, batchSize, attempt, pauseMs) =>
      telemetry.emit('cleanup.failed', { batchSize, attempt, pauseMs, err }),
    onLate: (batchSize, timeoutMs) => telemetry.emit('cleanup.late', { batchSize, timeoutMs }),
  };
}
