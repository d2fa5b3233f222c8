import type { Bus, BusMessage } from './bus.ts';

/** The bus of one process: what is published is delivered, at once. */
export class LocalBus implements Bus {
  readonly #deliver: (message: BusMessage) => void;

  constructor(deliver: (message: BusMessage) => void) {
    this.#deliver = deliver;
  }

  publish(message: BusMessage): void {
    this.#deliver(message);
  }

  setInterest(): void {
    // One process hears everything it says.
  }

  listening(): void {
    // And at once.
  }
}
