import { isPromise, type MaybePromise } from './maybe-promise.ts';
import { Ring } from './ring.ts';

export interface LaneLimits<Key> {
  /** Items of one key that may wait before `onFull` is called for it. */
  readonly maxWaitingPerKey: number;
  readonly onFull?: (key: Key, waiting: number) => void;
  /** Called once a key that was full has no item waiting any more. */
  readonly onDrained?: (key: Key) => void;
}

type Work = () => MaybePromise<void>;

interface Lane {
  readonly waiting: Ring<Work>;
  /** Promises it waits for: one, unless work sent more to its own key before it answered. */
  promises: number;
  full: boolean;
}

/**
 * Order per key for work that is usually synchronous: an item runs at once, and only while one of its key is waiting for
 * a promise do the next ones of that key wait behind it. Other keys are not held up. While nobody waits, an item costs
 * one look at an empty map.
 *
 * Two streams that share `Lanes` share the order: frames wait behind the connect of their own connection.
 */
export class Lanes<Key> {
  readonly #limits: LaneLimits<Key>;
  readonly #busy = new Map<Key, Lane>();
  #waiting = 0;

  constructor(limits: LaneLimits<Key>) {
    this.#limits = limits;
  }

  /** Items that wait behind another one of their key. */
  get depth(): number {
    return this.#waiting;
  }

  /** Keys that wait for a promise. */
  get busy(): number {
    return this.#busy.size;
  }

  /** Runs `work(item)` in its key's turn. `work` reports its own failures: it never throws, its promise never rejects. */
  run<T>(key: Key, item: T, work: (item: T) => MaybePromise<void>): void {
    const lane = this.#busy.size === 0 ? undefined : this.#busy.get(key);
    if (lane !== undefined) {
      this.#wait(key, lane, () => work(item));
      return;
    }
    const result = work(item);
    if (!isPromise(result)) return;
    this.#hold(key, this.#busy.get(key) ?? { waiting: new Ring(), promises: 0, full: false }, result);
  }

  #hold(key: Key, lane: Lane, result: PromiseLike<void>): void {
    this.#busy.set(key, lane);
    lane.promises++;
    const resume = (): void => this.#resume(key, lane);
    result.then(resume, resume);
  }

  #wait(key: Key, lane: Lane, work: Work): void {
    lane.waiting.push(work);
    this.#waiting++;
    if (lane.full || lane.waiting.size < this.#limits.maxWaitingPerKey) return;
    lane.full = true;
    this.#limits.onFull?.(key, lane.waiting.size);
  }

  #resume(key: Key, lane: Lane): void {
    lane.promises--;
    if (lane.promises > 0) return;
    for (let work = lane.waiting.shift(); work !== undefined; work = lane.waiting.shift()) {
      this.#waiting--;
      const result = work();
      if (isPromise(result)) {
        this.#hold(key, lane, result);
        return;
      }
    }
    this.#busy.delete(key);
    if (lane.full) this.#limits.onDrained?.(key);
  }
}
