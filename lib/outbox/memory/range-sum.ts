import { type CoalescedRange, isLifecycle, type OutboxEvent } from '../outbox-event.ts';

/** What was left out of a channel and epoch so far. It has its id from the first event on. */
export class RangeSum {
  readonly id: string;
  readonly atMs: number;
  readonly epoch: string | undefined;
  #fromSeq: number | undefined;
  #toSeq: number | undefined;
  #count = 0;

  constructor(id: string, atMs: number, epoch: string | undefined) {
    this.id = id;
    this.atMs = atMs;
    this.epoch = epoch;
  }

  static of({ id, atMs, epoch, fromSeq, toSeq, count }: CoalescedRange): RangeSum {
    const range = new RangeSum(id, atMs, epoch);
    range.#fromSeq = fromSeq;
    range.#toSeq = toSeq;
    range.#count = count;
    return range;
  }

  add(event: OutboxEvent): void {
    this.#count++;
    if (!isLifecycle(event)) return;
    this.#fromSeq = Math.min(this.#fromSeq ?? event.seq, event.seq);
    this.#toSeq = Math.max(this.#toSeq ?? event.seq, event.seq);
  }

  /** Only the number: a `seq` of another channel says nothing here. */
  merge(other: RangeSum): void {
    this.#count += other.#count;
  }

  toEvent(appId: string, channel: string): CoalescedRange {
    return {
      kind: 'spillway_coalesced',
      id: this.id,
      appId,
      channel,
      atMs: this.atMs,
      ...(this.epoch === undefined ? {} : { epoch: this.epoch }),
      ...(this.#fromSeq === undefined ? {} : { fromSeq: this.#fromSeq }),
      ...(this.#toSeq === undefined ? {} : { toSeq: this.#toSeq }),
      count: this.#count,
    };
  }
}
