import { bytesOf } from './held-bytes.ts';
import type { OutboxEvent } from '../outbox-event.ts';

/** An event that an endpoint could not be told. */
export interface DeadLetter {
  readonly event: OutboxEvent;
  readonly reason: string;
  readonly failures: number;
  readonly atMs: number;
  /** Of the batch it was last sent in. */
  readonly batchId?: string;
}

/** One endpoint's dead letters, oldest first. */
export class DeadLetters {
  readonly #maxBytes: number;
  readonly #letters = new Map<string, DeadLetter>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#letters.size;
  }

  get all(): Iterable<DeadLetter> {
    return this.#letters.values();
  }

  get(eventId: string): DeadLetter | undefined {
    return this.#letters.get(eventId);
  }

  /** Answers how many had to go for it: a few more than have to, so that not every letter has to make its own room. */
  add(letter: DeadLetter): number {
    this.remove(letter.event.id);
    this.#letters.set(letter.event.id, letter);
    this.#bytes += bytesOf(letter.event);
    if (this.#bytes <= this.#maxBytes) return 0;
    let gone = 0;
    for (const { event } of this.#letters.values()) {
      if (this.#bytes <= this.#maxBytes - this.#maxBytes / 32) break;
      this.remove(event.id);
      gone++;
    }
    return gone;
  }

  remove(eventId: string): void {
    const letter = this.#letters.get(eventId);
    if (letter === undefined) return;
    this.#letters.delete(eventId);
    this.#bytes -= bytesOf(letter.event);
  }

  /** Lets go what is older than `beforeMs`, at most `limit` letters; answers how many. */
  expire(beforeMs: number, limit: number): number {
    let gone = 0;
    for (const { event, atMs } of this.#letters.values()) {
      if (atMs >= beforeMs || gone === limit) break;
      this.remove(event.id);
      gone++;
    }
    return gone;
  }
}
