import { bytesOf, type HeldBytes } from './held-bytes.ts';
import type { OutboxEvent } from '../outbox-event.ts';

interface Entry {
  readonly event: OutboxEvent;
  /** Of all entries up to this one since the log began. */
  readonly endBytes: number;
}

/** Dropped entries are cut off when there are this many, and more of them than others. */
const cutAt = 1_024;

/** The events of one app and partition in the order in which they entered. Their index rises and is never reused. */
export class EventLog {
  readonly #held: HeldBytes;
  readonly #entries: (Entry | undefined)[] = [];
  /** Of `#entries[0]`. A log begins at 1, so that 0 is before every log. */
  #baseIndex = 1;
  #dropped = 0;
  #droppedBytes = 0;
  #endBytes = 0;

  constructor(held: HeldBytes) {
    this.#held = held;
  }

  /** Index of the oldest entry; the same as `end` when there is none. */
  get first(): number {
    return this.#baseIndex + this.#dropped;
  }

  /** Index that the next entry gets. */
  get end(): number {
    return this.#baseIndex + this.#entries.length;
  }

  get bytes(): number {
    return this.#endBytes - this.#droppedBytes;
  }

  bytesFrom(index: number): number {
    const before = this.#entries[index - 1 - this.#baseIndex];
    return this.#endBytes - (before?.endBytes ?? this.#droppedBytes);
  }

  at(index: number): OutboxEvent | undefined {
    return this.#entries[index - this.#baseIndex]?.event;
  }

  append(event: OutboxEvent): void {
    const bytes = bytesOf(event);
    this.#endBytes += bytes;
    this.#held.bytes += bytes;
    this.#entries.push({ event, endBytes: this.#endBytes });
  }

  /** Takes the oldest entry away. */
  dropFirst(): void {
    const entry = this.#entries[this.#dropped];
    if (entry === undefined) return;
    this.#held.bytes -= entry.endBytes - this.#droppedBytes;
    this.#droppedBytes = entry.endBytes;
    this.#entries[this.#dropped++] = undefined;
    if (this.#dropped >= cutAt && this.#dropped * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#dropped);
      this.#baseIndex += this.#dropped;
      this.#dropped = 0;
    }
  }
}
