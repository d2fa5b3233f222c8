import type { LaneState } from './lane-state.ts';
import type { Lane, PendingEvent, SentSeq } from './outbox.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { RecordedBatches } from './recorded-batches.ts';

const maxEvents = 10_000;

/** Events that were asked for again. They move no position and mark nothing as sent. */
export class ReplayLane implements LaneState {
  readonly lane: Lane;
  readonly batches: RecordedBatches;
  readonly #onTaken: (events: readonly OutboxEvent[]) => void;
  #events: OutboxEvent[] = [];
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
    return this.#events.length;
  }

  get events(): readonly OutboxEvent[] {
    return this.#events;
  }

  /** False: the lane is full. */
  add(event: OutboxEvent): boolean {
    if (this.#events.length >= maxEvents) return false;
    this.#events.push(event);
    return true;
  }

  read(limit: number): readonly PendingEvent[] {
    return this.#events.slice(0, limit).map((event, index) => ({ event, position: this.#position + index }));
  }

  sentOf(): ReadonlyMap<string, SentSeq> {
    return new Map();
  }

  advance(upTo: number): void {
    this.#token++;
    const passed = Math.max(0, upTo + 1 - this.#position);
    this.#events = this.#events.slice(passed);
    this.#position += passed;
  }

  took(events: readonly OutboxEvent[]): void {
    this.#onTaken(events);
  }
}
