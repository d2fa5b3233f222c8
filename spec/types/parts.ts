import type { Observable } from 'rxjs';
import type { AuthorizedMessage } from '../../lib/stages/events.ts';

/** Limits that are complete: each misuse takes one thing away from them. */
export const queue = { capacity: 100, overflow: 'drop-newest' } as const;
export const effectLimits = { concurrency: 4, timeoutMs: 1_000, queue };
export const batchLimits = {
  mode: 'batched',
  batch: { maxSize: 10, maxWaitMs: 50 },
  concurrency: 1,
  timeoutMs: 1_000,
  retryPausesMs: [100],
  queue: { capacity: 100, overflow: 'inline', breaker: { refusals: 11, resetMs: 30_000 } },
  reports: {
    onInline: (): void => undefined,
    onBreakerOpened: (): void => undefined,
    onBreakerClosed: (): void => undefined,
    onRetry: (): void => undefined,
    onLate: (): void => undefined,
  },
} as const;
export const streamLimits = { queue, maxHoldMs: 1_000 };

/** Work that fits the slot `message:authorized`. */
export const later = (message: AuthorizedMessage): Promise<AuthorizedMessage> => Promise.resolve(message);
export const through = (messages$: Observable<AuthorizedMessage>): Observable<AuthorizedMessage> => messages$;
export const same = <T>(item: T): T => item;
export const yes = (): true => true;
export const nothing = (): void => undefined;
