import { toStoreError } from './store-errors.ts';
import type { Topic } from './store-link.ts';
import { within } from './within.ts';

/** Messages under way; more are refused. */
const capacity = 10_000;

interface PublishingOptions {
  readonly send: (topic: Topic, message: string) => Promise<unknown>;
  readonly onFailed: (failure: Error) => void;
}

/** Messages on their way to Redis: nobody waits for one, so they are counted and bounded here. */
export class Publishing {
  readonly #options: PublishingOptions;
  #underWay = 0;
  #dropped = 0;
  #whenSent: (() => void) | undefined;

  constructor(options: PublishingOptions) {
    this.#options = options;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Messages that were refused, or of which it is not known whether they were sent. */
  get dropped(): number {
    return this.#dropped;
  }

  /** False: refused. */
  offer(topic: Topic, message: string, canSend: boolean): boolean {
    if (!canSend || this.#underWay >= capacity) {
      this.#dropped++;
      return false;
    }
    this.#underWay++;
    void this.#send(topic, message);
    return true;
  }

  /** Fulfilled when nothing is under way, or after so long. */
  async drain(limitMs: number): Promise<void> {
    if (this.#underWay === 0) return;
    const sent = new Promise<void>((resolve) => {
      this.#whenSent = resolve;
    });
    await Promise.allSettled([within(limitMs, () => sent)]);
  }

  async #send(topic: Topic, message: string): Promise<void> {
    try {
      await this.#options.send(topic, message);
    } catch (error) {
      this.#dropped++;
      this.#options.onFailed(toStoreError(error));
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#whenSent?.();
    }
  }
}
