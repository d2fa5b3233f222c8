import { bufferCount, filter, groupBy, mergeMap, type OperatorFunction, timer } from 'rxjs';

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
 * `bufferCount` alone would keep a partial batch for ever; here it works inside a window that the first item opens and
 * a timer closes.
 *
 * ```
 * source   --a-b-c-----d-------|     maxSize 2, maxWaitMs 6
 * result   ----x---y---------z-|     x=[a,b] y=[c] z=[d]
 * ```
 */
export function batchBy<T>(limits: BatchLimits<T>): OperatorFunction<T, Batch<T>> {
  const keyOf = limits.by ?? (() => undefined);
  return (source$) =>
    source$.pipe(
      groupBy(keyOf, { duration: () => timer(limits.maxWaitMs) }),
      mergeMap((window$) => window$.pipe(bufferCount(limits.maxSize), filter(isBatch))),
    );
}

function isBatch<T>(items: readonly T[]): items is Batch<T> {
  return items.length > 0;
}
