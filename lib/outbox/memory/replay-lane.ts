import type { LaneState } from './lane-state.ts';
import type { Lane, PendingEvent, RecordedBatch, SentSeq } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import type { RecordedBatches } from './recorded-batches.ts';

const maxEvents = 10_000;

interface Asked {
  readonly event: OutboxEvent;
  /** When it was asked for: its retention begins again. */
  readonly askedAtMs: number;
}

/** Events that were asked for again. They move no position and mark nothing as sent. */
export class ReplayLane implements LaneState {
  readonly lane: Lane;
  readonly batches: RecordedBatches;
  readonly #onTaken: (events: readonly OutboxEvent[]) => void;
  #asked: Asked[] = [];
  /** Of the first event. */
  #position = 0;
  #token = 0;

  /** @param onTaken What the endpoint took this time. */
  constructor(lane: Lane, batches: RecordedBatches, onTaken: (events: readonly OutboxEvent[]) => void) {
    this.lane = lane;
    this.batches = batches;
    this.#onTaken = onTaken;
  }

  get token(): number {
    return this.#token;
  }

  get pending(): number {
    return this.#asked.length;
  }

  get asked(): readonly Asked[] {
    return this.#asked;
  }

  /** False: the lane is full. */
  add(event: OutboxEvent, askedAtMs: number): boolean {
    if (this.#asked.length >= maxEvents) return false;
    this.#asked.push({ event, askedAtMs });
    return true;
  }

  read(limit: number): readonly PendingEvent[] {
    return this.#asked
      .slice(0, limit)
      .map(({ event }, index) => ({ event, position: this.#position + index }));
  }

  sentOf(): ReadonlyMap<string, SentSeq> {
    return new Map();
  }

  advance(upTo: number): void {
    this.#token++;
    const passed = Math.max(0, upTo + 1 - this.#position);
    this.#asked = this.#asked.slice(passed);
    this.#position += passed;
  }

  isOlder({ createdAtMs }: RecordedBatch, beforeMs: number): boolean {
    return createdAtMs < beforeMs;
  }

  takeOlder(beforeMs: number, limit: number): readonly OutboxEvent[] {
    const old: OutboxEvent[] = [];
    for (const { event, askedAtMs } of this.#asked) {
      if (askedAtMs >= beforeMs || old.length === limit) break;
      old.push(event);
    }
    if (old.length > 0) this.advance(this.#position + old.length - 1);
    return old;
  }

  took(events: readonly OutboxEvent[]): void {
    this.#onTaken(events);
  }
}
