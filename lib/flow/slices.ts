import type { Clock } from './clock.ts';
import type { MaybePromise } from './maybe-promise.ts';

/** How long one slice takes before others get their turn, give or take one item. */
const sliceMs = 2;

/**
 * Visits the items in slices, with other work of the process between them, until `visit` answers false or there are no
 * more; then answers `result`. What fits into one slice is done, and answered, at once.
 */
export function inSlices<T, R>(
  clock: Clock,
  items: Iterable<T>,
  visit: (item: T) => boolean,
  result: () => R,
): MaybePromise<R> {
  const slice = slicesOf(clock, items, visit);
  return slice() ? result() : goOn(slice, result);
}

async function goOn<R>(slice: () => boolean, result: () => R): Promise<R> {
  do {
    await new Promise((resolve) => setImmediate(resolve));
  } while (!slice());
  return result();
}

/** Does the next slice; true: that was the last. */
function slicesOf<T>(clock: Clock, items: Iterable<T>, visit: (item: T) => boolean): () => boolean {
  const iterator = items[Symbol.iterator]();
  return () => {
    const endMs = clock.now() + sliceMs;
    do {
      const next = iterator.next();
      if (next.done === true) return true;
      if (!visit(next.value)) {
        iterator.return?.();
        return true;
      }
    } while (clock.now() < endMs);
    return false;
  };
}
