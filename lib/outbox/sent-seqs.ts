import type { SentSeq } from './outbox.ts';
import { isLifecycle, type OutboxEvent } from './outbox-event.ts';

/** The last `seq` of each channel that an endpoint took, for as long as it can be asked for. */
export class SentSeqs {
  readonly #sent = new Map<string, SentSeq>();
  /** Epochs that ended while the lane still had work: forgotten when it has none. */
  readonly #ended = new Map<string, string>();

  /** For the channels of these events. */
  of(events: readonly OutboxEvent[]): ReadonlyMap<string, SentSeq> {
    const sent = new Map<string, SentSeq>();
    for (const { channel } of events) {
      const last = this.#sent.get(channel);
      if (last !== undefined) sent.set(channel, last);
    }
    return sent;
  }

  took(events: readonly OutboxEvent[]): void {
    for (const event of events) {
      if (isLifecycle(event)) this.set(event.channel, { epoch: event.epoch, seq: event.seq });
    }
  }

  set(channel: string, seq: SentSeq): void {
    this.#sent.set(channel, seq);
  }

  end(channel: string, epoch: string): void {
    if (this.#sent.has(channel)) this.#ended.set(channel, epoch);
  }

  /** Nothing waits on the lane. */
  forgetEnded(): void {
    for (const [channel, epoch] of this.#ended) {
      if (this.#sent.get(channel)?.epoch === epoch) this.#sent.delete(channel);
    }
    this.#ended.clear();
  }

  [Symbol.iterator](): IterableIterator<[string, SentSeq]> {
    return this.#sent.entries();
  }
}
