import { randomBytes } from 'node:crypto';

/** Names that are never given twice, by no process: each store has a generation of its own. */
export class EventIds {
  readonly generation: string;
  #epochs = 0;
  #others = 0;

  constructor(nowMs: number) {
    this.generation = `${nowMs.toString(36)}${randomBytes(5).toString('hex')}`;
  }

  /** Of a channel whose `seq` starts. */
  epoch(): string {
    return `${this.generation}-${++this.#epochs}`;
  }

  /** Of an event without a `seq`. */
  other(): string {
    return `${this.generation}-x${++this.#others}`;
  }
}
