import { Ring } from '../flow/ring.ts';

/**
 * How many long scripts of this node the store has at once: others wait behind them there, so what bounds their wait is
 * the number of scripts, not the length of one. Whoever has waited longest goes first. Each partition waits with one
 * script of a kind, which bounds the queue.
 */
export class SendGate {
  readonly #slots: number;
  readonly #waiting = new Ring<() => void>();
  #inFlight = 0;

  constructor(slots: number) {
    this.#slots = slots;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inFlight < this.#slots) this.#inFlight++;
    else await new Promise<void>((begin) => this.#waiting.push(begin));
    try {
      return await work();
    } finally {
      this.#passOn();
    }
  }

  /** The slot goes to whoever waits, without becoming free in between. */
  #passOn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight--;
    else next();
  }
}
