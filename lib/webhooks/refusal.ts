import type { RecordedBatch } from '../outbox/outbox.ts';

/** How long an endpoint may refuse a batch, while it takes others, before the batch is taken apart. */
const patienceMs = 300_000;

/** What is to become of a batch that an endpoint refused (4xx). */
export type RefusalVerdict = 'wait' | 'split' | 'give-up';

/**
 * A batch that is refused for five minutes, while the endpoint took something of another lane, holds one event the
 * endpoint does not want. It is split until that event is alone; that one is given up.
 */
export function verdictOn(
  { events, refusedSinceMs, isSplit }: RecordedBatch,
  nowMs: number,
  tookOthersSince: (sinceMs: number) => boolean,
): RefusalVerdict {
  const isPoison =
    isSplit ||
    (refusedSinceMs !== undefined && nowMs - refusedSinceMs >= patienceMs && tookOthersSince(refusedSinceMs));
  if (!isPoison) return 'wait';
  return events.length > 1 ? 'split' : 'give-up';
}
