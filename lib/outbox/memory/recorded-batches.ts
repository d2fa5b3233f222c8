import type { HeldBytes } from './held-bytes.ts';
import type { BatchFailure, NewBatch, RecordedBatch } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';

/** The batches a lane has recorded and not settled, the one in flight first. Several only after a split. */
export class RecordedBatches {
  readonly #held: HeldBytes;
  #batches: readonly RecordedBatch[] = [];
  /** Made when it is asked for. */
  #byEvent: ReadonlyMap<string, RecordedBatch> | undefined;

  constructor(held: HeldBytes) {
    this.#held = held;
  }

  get next(): RecordedBatch | undefined {
    return this.#batches[0];
  }

  get all(): readonly RecordedBatch[] {
    return this.#batches;
  }

  get bytes(): number {
    return this.#batches.reduce((bytes, { body }) => bytes + body.length, 0);
  }

  get events(): readonly OutboxEvent[] {
    return this.#batches.flatMap(({ events }) => events);
  }

  /** The batch that an event is in. */
  of(eventId: string): RecordedBatch | undefined {
    if (this.#batches.length === 0) return undefined;
    this.#byEvent ??= new Map(this.#batches.flatMap((batch) => batch.events.map(({ id }) => [id, batch])));
    return this.#byEvent.get(eventId);
  }

  add(batch: NewBatch): void {
    this.restore(toRecorded(batch, false));
  }

  restore(batch: RecordedBatch): void {
    this.#set([...this.#batches, batch]);
  }

  /** The batch, which is no longer here; undefined when it was not. */
  remove(id: string): RecordedBatch | undefined {
    const batch = this.#batches.find((one) => one.id === id);
    if (batch !== undefined) this.#set(this.#batches.filter((one) => one !== batch));
    return batch;
  }

  failed(id: string, { reason, isRefusal }: BatchFailure, nowMs: number): void {
    this.#set(
      this.#batches.map((batch) =>
        batch.id === id
          ? {
              ...batch,
              failures: batch.failures + 1,
              lastFailure: reason,
              refusedSinceMs: isRefusal ? (batch.refusedSinceMs ?? nowMs) : undefined,
            }
          : batch,
      ),
    );
  }

  /** Whether the batch was here. */
  split(id: string, parts: readonly NewBatch[]): boolean {
    if (!this.#batches.some((batch) => batch.id === id)) return false;
    this.#set(
      this.#batches.flatMap((batch) =>
        batch.id === id ? parts.map((part) => toRecorded(part, true)) : [batch],
      ),
    );
    return true;
  }

  #set(batches: readonly RecordedBatch[]): void {
    const before = this.bytes;
    this.#batches = batches;
    this.#byEvent = undefined;
    this.#held.bytes += this.bytes - before;
  }
}

function toRecorded({ id, body, events, createdAtMs }: NewBatch, isSplit: boolean): RecordedBatch {
  const untried = { failures: 0, lastFailure: undefined, refusedSinceMs: undefined };
  return { id, body, events, createdAtMs, ...untried, isSplit };
}
