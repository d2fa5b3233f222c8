import type { Clock } from '../../flow/clock.ts';

/** How many deadlines fire before others get their turn. */
const perSlice = 500;

/** What can be armed, in one queue at a time: it is a link of the queue's list itself. */
export abstract class Deadline<T> {
  isArmed = false;
  dueAtMs = 0;
  earlier: T | undefined = undefined;
  later: T | undefined = undefined;
}

/**
 * Deadlines that all lie the same time ahead, so the first armed is the first due: a list in the order of arming is the
 * whole queue. It is linked, and not a map, for a storm arms thousands within milliseconds, and a map that grows moves
 * all of them at once.
 */
export class DeadlineQueue<T extends Deadline<T>> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #fire: (item: T) => void;
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #slice: NodeJS.Immediate | undefined;

  constructor(clock: Clock, delayMs: number, fire: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#fire = fire;
  }

  get size(): number {
    return this.#size;
  }

  /** An item that is armed already keeps its deadline. */
  arm(item: T): void {
    if (item.isArmed) return;
    item.isArmed = true;
    item.dueAtMs = this.#clock.now() + this.#delayMs;
    item.earlier = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.later = item;
    this.#last = item;
    this.#size++;
    if (this.#timer === undefined && this.#slice === undefined) this.#wait(this.#delayMs);
  }

  /** Whether it was armed. */
  cancel(item: T): boolean {
    if (!item.isArmed) return false;
    const { earlier, later } = item;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    item.isArmed = false;
    item.earlier = undefined;
    item.later = undefined;
    this.#size--;
    return true;
  }

  /** Fires everything that is armed, in order, now. */
  settle(): void {
    const armed: T[] = [];
    for (let item = this.#first; item !== undefined; item = item.later) armed.push(item);
    for (const item of armed) if (this.cancel(item)) this.#fire(item);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#slice);
    while (this.#first !== undefined) this.cancel(this.#first);
  }

  #fireDue(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#slice);
    this.#timer = undefined;
    this.#slice = undefined;
    const nowMs = this.#clock.now();
    let fired = 0;
    for (let item = this.#first; item !== undefined; item = this.#first) {
      // One that lies further ahead than it can was armed before the clock was set back: it is due.
      if (item.dueAtMs > nowMs && item.dueAtMs - nowMs <= this.#delayMs) {
        this.#wait(item.dueAtMs - nowMs);
        return;
      }
      if (fired++ === perSlice) {
        this.#slice = setImmediate(() => this.#fireDue());
        return;
      }
      this.cancel(item);
      this.#fire(item);
    }
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fireDue(), Math.max(1, ms)).unref();
  }
}
