import type { Clock } from '../../flow/clock.ts';

/** How many deadlines fire before others get their turn. */
const perSlice = 500;

/**
 * Deadlines that all lie the same time ahead, so the first armed is the first due: one map in the order of arming is the
 * whole queue, and cancelling is deleting.
 */
export class DeadlineQueue<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #fire: (item: T) => void;
  readonly #dueAtMs = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;
  #slice: NodeJS.Immediate | undefined;

  constructor(clock: Clock, delayMs: number, fire: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#fire = fire;
  }

  get size(): number {
    return this.#dueAtMs.size;
  }

  /** An item that is armed already keeps its deadline. */
  arm(item: T): void {
    if (this.#dueAtMs.has(item)) return;
    this.#dueAtMs.set(item, this.#clock.now() + this.#delayMs);
    if (this.#timer === undefined && this.#slice === undefined) this.#wait(this.#delayMs);
  }

  /** Whether it was armed. */
  cancel(item: T): boolean {
    return this.#dueAtMs.delete(item);
  }

  /** Fires everything that is armed, in order, now. */
  settle(): void {
    for (const item of [...this.#dueAtMs.keys()]) {
      if (this.#dueAtMs.delete(item)) this.#fire(item);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#slice);
    this.#dueAtMs.clear();
  }

  #fireDue(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#slice);
    this.#timer = undefined;
    this.#slice = undefined;
    const nowMs = this.#clock.now();
    let fired = 0;
    for (const [item, dueAtMs] of this.#dueAtMs) {
      // One that lies further ahead than it can was armed before the clock was set back: it is due.
      if (dueAtMs > nowMs && dueAtMs - nowMs <= this.#delayMs) {
        this.#wait(dueAtMs - nowMs);
        return;
      }
      if (fired++ === perSlice) {
        this.#slice = setImmediate(() => this.#fireDue());
        return;
      }
      this.#dueAtMs.delete(item);
      this.#fire(item);
    }
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fireDue(), Math.max(1, ms)).unref();
  }
}
