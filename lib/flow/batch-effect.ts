import { finalize, merge, mergeMap, Observable, type OperatorFunction, Subject, tap } from 'rxjs';
import { type Batch, batchBy } from './batch-by.ts';
import { BoundedSubject } from './bounded-subject.ts';
import type { Clock } from './clock.ts';
import { isolate } from './isolate.ts';
import type { MaybePromise } from './maybe-promise.ts';

export interface BatchEffectLimits<In> {
  readonly batch: {
    readonly maxSize: number;
    readonly maxWaitMs: number;
    readonly by?: (item: In) => unknown;
  };
  /** Batches in work at once. */
  readonly concurrency: number;
  /** Items accepted and not yet done. */
  readonly capacity: number;
  /** The longest one batch may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock?: Clock;
  readonly onError: (error: unknown, batch: Batch<In>) => void;
  /** Told of each item that found the queue full and went through alone, at once. */
  readonly onInline: (item: In) => void;
  /** Handed the queue when the stream starts, for gauges. */
  readonly onQueue?: (queue: { readonly depth: number; readonly oldestAgeMs: number }) => void;
}

/**
 * Work on batches with a bounded queue before it whose overflow policy is `inline`: an item that finds the queue full is
 * worked on alone, at once, by the same function. One semantics, two schedules, and nothing is ever refused.
 */
export function batchEffect<In, Out>(
  run: (batch: Batch<In>) => MaybePromise<Out> | Observable<Out>,
  limits: BatchEffectLimits<In>,
): OperatorFunction<In, Out> {
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const queue = new BoundedSubject<In>({
        capacity: limits.capacity,
        policy: 'reject',
        maxInWork: (limits.concurrency + 1) * limits.batch.maxSize,
        ...(limits.clock === undefined ? {} : { clock: limits.clock }),
      });
      const inline$ = new Subject<Batch<In>>();
      limits.onQueue?.(queue);
      const work = (batch: Batch<In>): Observable<Out> =>
        isolate(() => run(batch), {
          timeoutMs: limits.timeoutMs,
          onError: (error) => limits.onError(error, batch),
        });
      const accept = (item: In): void => {
        if (queue.offer(item)) return;
        limits.onInline(item);
        inline$.next([item]);
      };
      const batches$ = queue.pipe(
        batchBy(limits.batch),
        mergeMap(
          (batch) => work(batch).pipe(finalize(() => queue.release(batch.length))),
          limits.concurrency,
        ),
      );
      subscriber.add(merge(batches$, inline$.pipe(mergeMap(work))).subscribe(subscriber));
      subscriber.add(
        source$.pipe(tap(accept)).subscribe({
          error: (error: unknown) => subscriber.error(error),
          complete: () => {
            inline$.complete();
            queue.complete();
          },
        }),
      );
    });
}
