import { finalize, mergeMap, Observable, type OperatorFunction, Subject } from 'rxjs';
import type { OverflowPolicy } from './bounded-subject.ts';
import { isolate } from './isolate.ts';
import { KeyedQueue } from './keyed-queue.ts';
import type { MaybePromise } from './maybe-promise.ts';

export interface EffectLimits<In> {
  /** Items in work at once. */
  readonly concurrency: number;
  /** What may wait for a slot, and what happens beyond it. */
  readonly overflow: { readonly maxQueued: number; readonly policy: OverflowPolicy };
  /** The longest one item may take, in milliseconds. Its slot is free again then. */
  readonly timeoutMs: number;
  /** Items of one key keep their order; other keys may overtake. Default: every item its own key. */
  readonly key?: (item: In) => unknown;
  /** Told of each item that failed or ran out of time. The stream goes on. */
  readonly onError: (error: unknown, item: In) => void;
  /** Told of each item that found the queue full; `drop-oldest` names the item that was lost. */
  readonly onOverflow: (item: In) => void;
}

/** `mergeMap(run, concurrency)` behind a bounded door, isolated per item, in order per key. */
export function effect<In, Out>(
  run: (item: In) => MaybePromise<Out> | Observable<Out>,
  limits: EffectLimits<In>,
): OperatorFunction<In, Out> {
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const queue = new KeyedQueue<In>();
      const admitted$ = new Subject<{ readonly key: unknown; readonly item: In }>();
      let inWork = 0;
      let sourceDone = false;

      const pump = (): void => {
        while (inWork < limits.concurrency) {
          const next = queue.shift();
          if (next === undefined) break;
          inWork++;
          admitted$.next(next);
        }
        if (sourceDone && inWork === 0 && queue.size === 0) admitted$.complete();
      };
      const accept = (item: In): void => {
        if (inWork >= limits.concurrency && queue.size >= limits.overflow.maxQueued) {
          const lost = limits.overflow.policy === 'drop-oldest' ? queue.shift() : undefined;
          limits.onOverflow(lost?.item ?? item);
          if (lost === undefined) return;
          queue.done(lost.key);
        }
        queue.push(limits.key === undefined ? {} : limits.key(item), item);
        pump();
      };
      const work = admitted$.pipe(
        mergeMap(
          ({ key, item }) =>
            isolate(() => run(item), {
              timeoutMs: limits.timeoutMs,
              onError: (error) => limits.onError(error, item),
            }).pipe(
              finalize(() => {
                inWork--;
                queue.done(key);
                pump();
              }),
            ),
          limits.concurrency,
        ),
      );
      subscriber.add(work.subscribe(subscriber));
      subscriber.add(
        source$.subscribe({
          next: accept,
          error: (error: any) => subscriber.error(error),
          complete: () => {
            sourceDone = true;
            pump();
          },
        }),
      );
    });
}
