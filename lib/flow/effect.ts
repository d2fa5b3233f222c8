import { finalize, mergeMap, Observable, type OperatorFunction, Subject, tap } from 'rxjs';
import type { OverflowPolicy } from './bounded-subject.ts';
import { isolate } from './isolate.ts';
import { KeyedQueue } from './keyed-queue.ts';
import type { MaybePromise } from './maybe-promise.ts';

export interface EffectLimits<In> {
  /** Items in work at once. */
  readonly concurrency: number;
  /** What may wait for a slot or behind its key, and what happens beyond it. */
  readonly overflow: { readonly maxQueued: number; readonly policy: OverflowPolicy };
  /** The longest one item may take, in milliseconds. Its slot is free again then. */
  readonly timeoutMs: number;
  /** Items of one key keep their order; other keys may overtake. Default: every item its own key. */
  readonly key?: (item: In) => unknown;
  /** Told of each item that failed or ran out of time. The stream goes on. */
  readonly onError: (error: unknown, item: In) => void;
  /**
   * Told of each item that found the queue full; `drop-oldest` names the item that was lost. What stands behind a busy
   * key is never the one: when all that wait do, the new item is lost.
   */
  readonly onOverflow: (item: In) => void;
  /** Handed the queue when the stream starts, for gauges. */
  readonly onQueue?: (queue: { readonly size: number }) => void;
}

/** `mergeMap(run, concurrency)` behind a bounded door, isolated per item, in order per key. */
export function effect<In, Out>(
  run: (item: In) => MaybePromise<Out> | Observable<Out>,
  limits: EffectLimits<In>,
): OperatorFunction<In, Out> {
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const slots = new Slots(limits);
      limits.onQueue?.(slots.queue);
      const work$ = slots.admitted$.pipe(
        mergeMap(({ key, item }) =>
          isolate(() => run(item), {
            timeoutMs: limits.timeoutMs,
            onError: (error) => limits.onError(error, item),
          }).pipe(finalize(() => slots.free(key))),
        ),
      );
      subscriber.add(work$.subscribe(subscriber));
      subscriber.add(
        source$.pipe(tap((item) => slots.offer(item))).subscribe({
          error: (error: unknown) => subscriber.error(error),
          complete: () => slots.complete(),
        }),
      );
    });
}

/** Who may begin: at most `concurrency` items at once, one per key; the rest waits in the queue up to its cap. */
class Slots<In> {
  readonly queue = new KeyedQueue<In>();
  readonly admitted$ = new Subject<{ readonly key: unknown; readonly item: In }>();
  readonly #limits: EffectLimits<In>;
  #inWork = 0;
  #sourceDone = false;
  #admitting = false;

  constructor(limits: EffectLimits<In>) {
    this.#limits = limits;
  }

  offer(item: In): void {
    const key = this.#limits.key === undefined ? {} : this.#limits.key(item);
    if (this.#wouldOverflow(key) && !this.#makeRoom(item)) return;
    this.queue.push(key, item);
    this.#admit();
  }

  /** Gives back the slot of an item that is done. */
  free(key: unknown): void {
    this.#inWork--;
    this.queue.done(key);
    this.#admit();
  }

  /** Takes no more; `admitted$` completes once the last item has begun. */
  complete(): void {
    this.#sourceDone = true;
    this.#admit();
  }

  /** Whether more would wait than may, counting out what begins at once. */
  #wouldOverflow(key: unknown): boolean {
    const { concurrency, overflow } = this.#limits;
    const ready = this.queue.ready + (this.queue.has(key) ? 0 : 1);
    const beginning = Math.min(ready, concurrency - this.#inWork);
    return this.queue.size + 1 - beginning > overflow.maxQueued;
  }

  #makeRoom(item: In): boolean {
    const { overflow, onOverflow } = this.#limits;
    const lost = overflow.policy === 'drop-oldest' ? this.queue.shift() : undefined;
    if (lost !== undefined) this.queue.done(lost.key);
    onOverflow(lost === undefined ? item : lost.item);
    return lost !== undefined;
  }

  /** A loop and no recursion: work that answers at once frees its slot while it is being admitted. */
  #admit(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    while (this.#inWork < this.#limits.concurrency) {
      const next = this.queue.shift();
      if (next === undefined) break;
      this.#inWork++;
      this.admitted$.next(next);
    }
    this.#admitting = false;
    if (this.#sourceDone && this.queue.size === 0) this.admitted$.complete();
  }
}
