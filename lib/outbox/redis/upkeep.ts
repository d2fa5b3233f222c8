import { StoreAway } from '../../redis/store-link.ts';

/**
 * Work that nobody waits for: one task of a name at a time, and once more when it was asked for meanwhile. A task that the
 * store was away for is over; what asks for it (a wake-up, a renewal, the sweep) comes again.
 */
export class Upkeep {
  readonly #onFailed: (error: unknown) => void;
  readonly #running = new Map<string, { again: (() => Promise<void>) | undefined }>();
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(onFailed: (error: unknown) => void) {
    this.#onFailed = onFailed;
  }

  run(name: string, task: () => Promise<void>): void {
    if (this.#isClosed) return;
    const running = this.#running.get(name);
    if (running !== undefined) running.again = task;
    else void this.#begin(name, task);
  }

  /** Fulfilled when nothing is under way. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What is under way may finish; nothing begins. */
  close(): void {
    this.#isClosed = true;
    for (const running of this.#running.values()) running.again = undefined;
  }

  async #begin(name: string, first: () => Promise<void>): Promise<void> {
    const state: { again: (() => Promise<void>) | undefined } = { again: undefined };
    this.#running.set(name, state);
    let next: (() => Promise<void>) | undefined = first;
    while (next !== undefined) {
      state.again = undefined;
      await this.#attempt(next);
      next = state.again;
    }
    this.#running.delete(name);
    if (this.#running.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async #attempt(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (!(error instanceof StoreAway)) this.#onFailed(error);
    }
  }
}
