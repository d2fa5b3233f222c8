import { Observable, type OperatorFunction } from 'rxjs';
import type { Lanes } from './lanes.ts';
import { isPromise, type MaybePromise } from './maybe-promise.ts';

/** Work on one item. It hands results to `emit`, reports its own failures, and answers a promise only if it must wait. */
export type ItemWork<In, Out> = (item: In, emit: (out: Out) => void) => MaybePromise<void>;

/**
 * Runs `work` for each item. Without an order an item that waits for a promise holds up nobody; with one, the next items
 * of its key wait. Completes when the source has and no work is under way.
 *
 * ```
 * source   --a---b---|        a waits for a promise, b does not
 * free     ------b-----a|
 * in order ------------(ab|)  a and b have the same key
 * ```
 */
export function perform<In, Out, Key>(
  work: ItemWork<In, Out>,
  order?: { readonly lanes: Lanes<Key>; readonly by: (item: In) => Key },
): OperatorFunction<In, Out> {
  return (source$) =>
    new Observable<Out>((subscriber) => {
      let underWay = 0;
      let sourceDone = false;
      const emit = (out: Out): void => subscriber.next(out);
      const done = (): void => {
        underWay--;
        if (sourceDone && underWay === 0) subscriber.complete();
      };
      const run = (item: In): MaybePromise<void> => {
        const result = work(item, emit);
        if (isPromise(result)) return result.then(done, done);
        done();
        return undefined;
      };
      return source$.subscribe({
        next: (item) => {
          underWay++;
          if (order === undefined) void run(item);
          else order.lanes.run(order.by(item), item, run);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          sourceDone = true;
          if (underWay === 0) subscriber.complete();
        },
      });
    });
}
