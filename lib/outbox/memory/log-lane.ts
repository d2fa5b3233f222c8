import type { EventLog } from './event-log.ts';
import type { Fold } from './fold.ts';
import type { LaneState } from './lane-state.ts';
import type { Lane, PendingEvent, RecordedBatch, SentSeq } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import type { RecordedBatches } from './recorded-batches.ts';
import { SentSeqs } from './sent-seqs.ts';

export interface LogLaneParts {
  readonly lane: Lane;
  readonly log: EventLog;
  readonly fold: Fold;
  readonly batches: RecordedBatches;
}

/** A position in a log. What was folded is read before it, and numbered downwards from it. */
export class LogLane implements LaneState {
  readonly lane: Lane;
  readonly log: EventLog;
  readonly fold: Fold;
  readonly batches: RecordedBatches;
  readonly sent = new SentSeqs();
  /** Where the lane began: what is older was never meant for it. */
  #startedAt: number;
  #position: number;
  #token = 0;

  /** Begins behind everything that is in the log. */
  constructor({ lane, log, fold, batches }: LogLaneParts) {
    this.lane = lane;
    this.log = log;
    this.fold = fold;
    this.batches = batches;
    this.#startedAt = log.end;
    this.#position = log.end;
  }

  get token(): number {
    return this.#token;
  }

  /** Index in the log of the next entry. */
  get position(): number {
    return this.#position;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  get pending(): number {
    return this.fold.length + this.log.end - this.#position;
  }

  /** Events that wait, recorded or not. */
  get undelivered(): number {
    return this.pending + this.batches.events.length;
  }

  get bytes(): number {
    return this.log.bytesFrom(this.#position) + this.fold.bytes + this.batches.bytes;
  }

  get oldestAtMs(): number | undefined {
    const recorded = this.batches.events[0]?.atMs;
    return recorded ?? this.fold.oldestAtMs ?? this.log.at(this.#position)?.atMs;
  }

  read(limit: number): readonly PendingEvent[] {
    const events: PendingEvent[] = [];
    let position = this.#position - this.fold.length;
    for (const event of this.fold.events()) {
      if (events.length >= limit) return events;
      events.push({ event, position: position++ });
    }
    for (; events.length < limit; position++) {
      const event = this.log.at(position);
      if (event === undefined) break;
      events.push({ event, position });
    }
    return events;
  }

  sentOf(events: readonly OutboxEvent[]): ReadonlyMap<string, SentSeq> {
    return this.sent.of(events);
  }

  advance(upTo: number): void {
    this.#token++;
    const folded = upTo + 1 - (this.#position - this.fold.length);
    this.fold.take(Math.min(folded, this.fold.length));
    this.#position = Math.min(Math.max(this.#position, upTo + 1), this.log.end);
  }

  took(events: readonly OutboxEvent[]): void {
    this.sent.took(events);
    this.#forgetEnded();
  }

  /** A channel's epoch ended: no event of it comes any more. */
  endEpoch(channel: string, epoch: string): void {
    this.sent.end(channel, epoch, this.log.end);
    this.#forgetEnded();
  }

  isOlder({ events, createdAtMs }: RecordedBatch, beforeMs: number): boolean {
    return (events[0]?.atMs ?? createdAtMs) < beforeMs;
  }

  /** Moves what lies before `target` from the log into the fold. */
  foldUpTo(target: number): void {
    if (this.#position >= target) return;
    this.#token++;
    for (; this.#position < target; this.#position++) {
      const event = this.log.at(this.#position);
      if (event !== undefined) this.fold.add(event);
    }
  }

  takeOlder(beforeMs: number, limit: number): readonly OutboxEvent[] {
    const old = [...this.fold.takeOlder(beforeMs, limit)];
    while (this.fold.length === 0 && old.length < limit) {
      const event = this.log.at(this.#position);
      if (event === undefined || event.atMs >= beforeMs) break;
      old.push(event);
      this.#position++;
    }
    if (old.length > 0) this.#token++;
    return old;
  }

  /** Something else in the fold changed. */
  refolded(): void {
    this.#token++;
  }

  #forgetEnded(): void {
    if (this.batches.next === undefined && this.fold.length === 0) this.sent.forgetEnded(this.#position);
  }

  /** Stands `behind` entries before the log's end, as before a restart. */
  restore(behind: number): void {
    this.#position = Math.max(this.log.first, this.log.end - behind);
    this.#startedAt = this.#position;
  }
}
