import type { SentSeq } from '../outbox.ts';
import { isLifecycle, type OutboxEvent } from '../outbox-event.ts';

/** The last `seq` of each channel that an endpoint took, for as long as it can be asked for. */
export class SentSeqs {
  readonly #sent = new Map<string, SentSeq>();
  /** Epochs that ended, in order: forgotten when the lane is behind all their events. */
  readonly #ended = new Map<string, { readonly epoch: string; readonly index: number }>();

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

  /** All events of the epoch stand before `index` in the log. */
  end(channel: string, epoch: string, index: number): void {
    this.#ended.delete(channel);
    this.#ended.set(channel, { epoch, index });
  }

  /** The endpoint took, or was to be told no more of, everything before `position`. */
  forgetEnded(position: number): void {
    for (const [channel, { epoch, index }] of this.#ended) {
      if (index > position) return;
      this.#ended.delete(channel);
      if (this.#sent.get(channel)?.epoch === epoch) this.#sent.delete(channel);
    }
  }

  [Symbol.iterator](): IterableIterator<[string, SentSeq]> {
    return this.#sent.entries();
  }
}
