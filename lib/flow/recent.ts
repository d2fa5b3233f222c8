import type { Clock } from './clock.ts';

interface Remembered<T> {
  readonly value: T;
  readonly atMs: number;
}

/** Remembers values for a while, each under its key; of too many the oldest are forgotten first. */
export class Recent<T> {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #maxSize: number;
  readonly #values = new Map<string, Remembered<T>>();

  constructor(clock: Clock, forMs: number, maxSize: number) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#maxSize = maxSize;
  }

  /** In place of what was remembered under the key. */
  add(key: string, value: T): void {
    const atMs = this.#clock.now();
    this.#values.delete(key);
    this.#values.set(key, { value, atMs });
    this.#forget(atMs);
  }

  /** The oldest first. */
  values(): readonly T[] {
    this.#forget(this.#clock.now());
    return Array.from(this.#values.values(), ({ value }) => value);
  }

  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#values) {
      if (this.#values.size <= this.#maxSize && nowMs - atMs <= this.#forMs) return;
      this.#values.delete(key);
    }
  }
}
