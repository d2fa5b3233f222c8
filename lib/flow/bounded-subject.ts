import { Observable, type Subscriber } from 'rxjs';
import { type Clock, systemClock } from './clock.ts';
import { Ring } from './ring.ts';

/**
 * What happens to an item that finds the door full:
 * `reject` refuses it and the caller decides; `drop-newest` loses it, counted;
 * `drop-oldest` loses the one that waited longest, counted, and takes the new one.
 */
export type OverflowPolicy = 'reject' | 'drop-newest' | 'drop-oldest';

export interface BoundedSubjectConfig {
  /** Items accepted and not yet released, waiting and in work together. */
  readonly capacity: number;
  readonly policy: OverflowPolicy;
  /** Items handed on and not yet released. Default: all of them. */
  readonly maxInWork?: number;
  readonly clock?: Clock;
}

/**
 * The door before every asynchronous stage: a queue with a cap, a policy and a gauge.
 *
 * Items leave in the order they came, at most `maxInWork` of them at once; whoever consumes them calls `release` when
 * an item is done. (`mergeMap(fn, n)` alone is no door: what waits for a slot sits in an array without bound.)
 * One subscriber at a time; items that came before it wait.
 */
export class BoundedSubject<T> extends Observable<T> {
  readonly capacity: number;
  readonly policy: OverflowPolicy;
  readonly #maxInWork: number;
  readonly #clock: Clock;
  readonly #waiting = new Ring<{ readonly item: T; readonly since: number }>();
  #subscriber: Subscriber<T> | undefined;
  #inWork = 0;
  #dropped = 0;
  #completed = false;
  #draining = false;

  constructor(config: BoundedSubjectConfig) {
    super((subscriber) => this.#attach(subscriber));
    this.capacity = config.capacity;
    this.policy = config.policy;
    this.#maxInWork = config.maxInWork ?? Number.POSITIVE_INFINITY;
    this.#clock = config.clock ?? systemClock;
  }

  /** Items accepted and not yet released. */
  get depth(): number {
    return this.#waiting.size + this.#inWork;
  }

  /** How long the item at the head has waited, in milliseconds; 0 when none waits. */
  get oldestAgeMs(): number {
    const oldest = this.#waiting.peek();
    return oldest === undefined ? 0 : this.#clock.now() - oldest.since;
  }

  /** Items lost to the policy since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes the item, or answers false: it was refused (`reject`) or lost (`drop-newest`). */
  offer(item: T): boolean {
    if (this.#completed) return false;
    if (this.depth >= this.capacity && !this.#makeRoom()) return false;
    this.#waiting.push({ item, since: this.#clock.now() });
    this.#drain();
    return true;
  }

  /** Gives back the room of items that are done. */
  release(count = 1): void {
    this.#inWork = Math.max(0, this.#inWork - count);
    this.#drain();
  }

  /** Takes no more; the subscriber completes when the last waiting item has left. */
  complete(): void {
    this.#completed = true;
    this.#drain();
  }

  /** Everything has left. What is in work then is still released; a subscriber that goes before takes its work along. */
  get #isFinished(): boolean {
    return this.#completed && this.#waiting.size === 0;
  }

  #makeRoom(): boolean {
    if (this.policy === 'reject') return false;
    this.#dropped++;
    return this.policy === 'drop-oldest' && this.#waiting.shift() !== undefined;
  }

  #attach(subscriber: Subscriber<T>): () => void {
    if (this.#subscriber !== undefined) throw new Error('BoundedSubject has a subscriber already');
    this.#subscriber = subscriber;
    this.#drain();
    return () => {
      this.#subscriber = undefined;
      if (!this.#isFinished) this.#inWork = 0;
    };
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (this.#subscriber?.closed === false && this.#inWork < this.#maxInWork) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        this.#inWork++;
        this.#subscriber.next(next.item);
      }
    } finally {
      this.#draining = false;
    }
    if (this.#isFinished) this.#subscriber?.complete();
  }
}
