import { bufferCount, filter, Observable, type OperatorFunction, Subject, tap, timer } from 'rxjs';

export type Batch<T> = readonly [T, ...T[]];

export interface BatchLimits<T> {
  readonly maxSize: number;
  /** The longest an item waits for its batch. The clock starts with the first item, so an idle stream never wakes. */
  readonly maxWaitMs: number;
  /** Items of different keys never share a batch. Default: one key. */
  readonly by?: (item: T) => unknown;
}

/**
 * Gathers items into batches that close by size, by time or at completion, whichever comes first.
 *
 * The first item of a key opens a window with a `bufferCount` in it, and a timer closes the window: `bufferCount` alone
 * would keep a partial batch for ever. A window is gone before its last batch leaves, so an item that comes from working
 * on that batch opens the next one. (`groupBy` with a `duration` closes in the other order and loses that item.)
 *
 * ```
 * source   --a-b-c-----d-------|     maxSize 2, maxWaitMs 6
 * result   ----x---y---------z-|     x=[a,b] y=[c] z=[d]
 * ```
 */
export function batchBy<T>(limits: BatchLimits<T>): OperatorFunction<T, Batch<T>> {
  const keyOf = limits.by ?? (() => undefined);
  return (source$) =>
    new Observable<Batch<T>>((subscriber) => {
      const windows = new Map<unknown, Subject<T>>();
      const close = (key: unknown): void => {
        const window$ = windows.get(key);
        windows.delete(key);
        window$?.complete();
      };
      const open = (key: unknown): Subject<T> => {
        const window$ = new Subject<T>();
        windows.set(key, window$);
        const batches$ = window$.pipe(bufferCount(limits.maxSize), filter(isBatch));
        subscriber.add(batches$.subscribe((batch) => subscriber.next(batch)));
        subscriber.add(timer(limits.maxWaitMs).subscribe(() => close(key)));
        return window$;
      };
      const gather = (item: T): void => {
        const key = keyOf(item);
        (windows.get(key) ?? open(key)).next(item);
      };
      subscriber.add(
        source$.pipe(tap(gather)).subscribe({
          error: (error: unknown) => subscriber.error(error),
          complete: () => {
            for (const key of windows.keys()) close(key);
            subscriber.complete();
          },
        }),
      );
    });
}

function isBatch<T>(items: T[]): items is [T, ...T[]] {
  return items.length > 0;
}
