import { bytesOf, type HeldBytes } from './held-bytes.ts';
import {
  type CoalescedRange,
  type EventKind,
  isLifecycle,
  type LifecycleEvent,
  type OutboxEvent,
} from '../outbox-event.ts';
import { beginsAnew, type FoldedChannel, overtakenBy, toFolded, toggleOf } from './folded-channel.ts';
import { RangeSum } from './range-sum.ts';

export interface FoldOptions {
  readonly appId: string;
  readonly held: HeldBytes;
  readonly newId: () => string;
  /** What the endpoint wants to hear of: what it never hears of is not missed, and in no range. */
  readonly takes: (kind: EventKind, channel: string) => boolean;
}

/** A part of a fold as it is read: a range that was left out, or a kept event. */
interface Item {
  readonly event: OutboxEvent;
  readonly take: () => void;
}

const everyChannel = '*';

/**
 * What is left of a backlog that grew too large, event by event: what leads from the state an endpoint knows to the state
 * that is. Of what comes and goes an even number of events cancels and of an odd one the last is kept; of counts the last,
 * of cache misses the first; client events stay, all of them until `shed`. Kept events are read in the order in which they
 * entered, and before the first of a channel the ranges of what was left out of it.
 */
export class Fold {
  readonly #options: FoldOptions;
  readonly #channels = new Map<string, FoldedChannel>();
  readonly #kept = new Map<string, { readonly event: OutboxEvent; readonly channel: FoldedChannel }>();
  readonly #clientEvents = new Set<OutboxEvent>();
  /** Kept counts and cache misses: as many as there are names of channels. */
  readonly #notices = new Set<OutboxEvent>();
  /** Channels of which only ranges are left. */
  readonly #bare = new Set<FoldedChannel>();
  /** The ranges of many channels in one. */
  #merged: RangeSum | undefined;
  #ranges = 0;
  #bytes = 0;
  #leftOut = 0;

  constructor(options: FoldOptions) {
    this.#options = options;
  }

  /** Events to read, ranges among them. */
  get length(): number {
    return this.#kept.size + this.#ranges;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Events that were left out since the start. */
  get leftOut(): number {
    return this.#leftOut;
  }

  get oldestAtMs(): number | undefined {
    const [first] = this.#items();
    return first?.event.atMs;
  }

  has(eventId: string): boolean {
    return this.#kept.has(eventId);
  }

  *events(): Iterable<OutboxEvent> {
    for (const { event } of this.#items()) yield event;
  }

  add(event: OutboxEvent): void {
    if (event.kind === 'spillway_coalesced') {
      this.#addRange(event);
      return;
    }
    const channel = this.#channelOf(event.channel);
    if (isLifecycle(event)) this.#toggle(channel, event);
    else if (this.#options.takes(event.kind, event.channel)) this.#addOther(channel, event);
    this.#tidy(channel);
  }

  /** Takes the first ones away. */
  take(count: number): void {
    const items: Item[] = [];
    for (const item of count > 0 ? this.#items() : []) if (items.push(item) === count) break;
    for (const item of items) item.take();
  }

  /** Takes what is older than `beforeMs` away, at most `limit` events. */
  takeOlder(beforeMs: number, limit: number): readonly OutboxEvent[] {
    const old: Item[] = [];
    for (const item of this.#items()) {
      if (old.length === limit || item.event.atMs >= beforeMs) break;
      old.push(item);
    }
    for (const { take } of old) take();
    return old.map(({ event }) => event);
  }

  /** The ranges of up to `limit` channels of which nothing else is left become part of one for every channel. */
  mergeRanges(limit: number): void {
    let left = limit;
    for (const channel of this.#bare) {
      if (left-- === 0) return;
      this.#mergeChannel(channel);
    }
  }

  /** What `mergeRanges` and `shed` find to work on. */
  get sheddable(): number {
    return this.#bare.size + this.#clientEvents.size + this.#notices.size;
  }

  /** Leaves out what is not of the lifecycle until that is enough, at most `limit` events: client events first, the oldest first. */
  shed(limit: number, isEnough: () => boolean): void {
    let left = limit;
    for (const events of [this.#clientEvents, this.#notices]) {
      for (const event of events) {
        if (left-- === 0 || isEnough()) return;
        const channel = this.#channelOf(event.channel);
        this.#leaveOut(channel, event);
        this.#takeKept(channel, event);
        if (this.#bare.has(channel)) this.#mergeChannel(channel);
      }
    }
  }

  #toggle(channel: FoldedChannel, event: LifecycleEvent): void {
    if (channel.isUntold) return;
    const before = overtakenBy(event, channel);
    for (const other of before) {
      channel.latest.delete(toggleOf(other));
      this.#remove(channel, other);
      this.#leaveOut(channel, other);
    }
    if (before.length > 0 && !beginsAnew(event)) {
      this.#leaveOut(channel, event);
      return;
    }
    this.#keep(channel, event);
    channel.latest.set(toggleOf(event), event);
  }

  #addOther(channel: FoldedChannel, event: OutboxEvent): void {
    const previous = channel.latest.get(event.kind);
    if (event.kind === 'cache_miss' && previous !== undefined) {
      this.#leaveOut(channel, event);
      return;
    }
    if (previous !== undefined) {
      this.#remove(channel, previous);
      this.#leaveOut(channel, previous);
    }
    this.#keep(channel, event);
    (event.kind === 'client_event' ? this.#clientEvents : this.#notices).add(event);
    if (event.kind !== 'client_event') channel.latest.set(event.kind, event);
  }

  #keep(channel: FoldedChannel, event: OutboxEvent): void {
    this.#kept.set(event.id, { event, channel });
    channel.kept++;
    this.#hold(bytesOf(event));
  }

  #remove(channel: FoldedChannel, event: OutboxEvent): void {
    if (!this.#kept.delete(event.id)) return;
    channel.kept--;
    this.#clientEvents.delete(event);
    this.#notices.delete(event);
    this.#hold(-bytesOf(event));
  }

  #leaveOut(channel: FoldedChannel, event: OutboxEvent): void {
    if (event.kind === 'spillway_coalesced' || !this.#options.takes(event.kind, channel.name)) return;
    const epoch = isLifecycle(event) ? event.epoch : undefined;
    let range = channel.leftOut.get(epoch ?? '');
    if (range === undefined) {
      range = new RangeSum(this.#options.newId(), event.atMs, epoch);
      this.#setRange(channel, range);
    }
    range.add(event);
    this.#leftOut++;
  }

  #addRange(event: CoalescedRange): void {
    const range = RangeSum.of(event);
    if (event.channel === everyChannel) {
      this.#merged = range;
      this.#ranges++;
      return;
    }
    const channel = this.#channelOf(event.channel);
    this.#setRange(channel, range);
    this.#tidy(channel);
  }

  #setRange(channel: FoldedChannel, range: RangeSum): void {
    channel.leftOut.set(range.epoch ?? '', range);
    this.#ranges++;
    this.#hold(bytesOf(this.#eventOf(range, channel.name)));
  }

  #dropRange(channel: FoldedChannel, epoch: string): void {
    const range = channel.leftOut.get(epoch);
    if (range === undefined) return;
    channel.leftOut.delete(epoch);
    this.#ranges--;
    this.#hold(-bytesOf(this.#eventOf(range, channel.name)));
  }

  #mergeChannel(channel: FoldedChannel): void {
    for (const [epoch, range] of channel.leftOut) {
      this.#dropRange(channel, epoch);
      this.#merge(range);
    }
    this.#tidy(channel);
  }

  #merge(range: RangeSum): void {
    if (this.#merged === undefined) {
      this.#merged = new RangeSum(this.#options.newId(), range.atMs, undefined);
      this.#ranges++;
    }
    this.#merged.merge(range);
  }

  *#items(): Iterable<Item> {
    // First: what is kept may be of channels whose earlier ranges became part of it.
    if (this.#merged !== undefined) {
      const event = this.#eventOf(this.#merged, everyChannel);
      yield { event, take: () => this.#takeMerged() };
    }
    const begun = new Set<FoldedChannel>();
    for (const { event, channel } of this.#kept.values()) {
      if (channel.leftOut.size > 0 && !begun.has(channel)) {
        begun.add(channel);
        yield* this.#rangesOf(channel);
      }
      yield { event, take: () => this.#takeKept(channel, event) };
    }
    for (const channel of this.#bare) yield* this.#rangesOf(channel);
  }

  *#rangesOf(channel: FoldedChannel): Iterable<Item> {
    for (const [epoch, range] of channel.leftOut) {
      const take = (): void => {
        this.#dropRange(channel, epoch);
        this.#tidy(channel);
      };
      yield { event: this.#eventOf(range, channel.name), take };
    }
  }

  #takeKept(channel: FoldedChannel, event: OutboxEvent): void {
    this.#remove(channel, event);
    const key = toggleOf(event);
    if (channel.latest.get(key) === event) channel.latest.delete(key);
    this.#tidy(channel);
  }

  #takeMerged(): void {
    this.#merged = undefined;
    this.#ranges--;
  }

  #eventOf(range: RangeSum, channel: string): CoalescedRange {
    return range.toEvent(this.#options.appId, channel);
  }

  #channelOf(name: string): FoldedChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = toFolded(name, this.#options.takes);
      this.#channels.set(name, channel);
    }
    return channel;
  }

  /** Files the channel under what is left of it. */
  #tidy(channel: FoldedChannel): void {
    if (channel.kept > 0 || channel.leftOut.size === 0) this.#bare.delete(channel);
    else this.#bare.add(channel);
    if (channel.kept === 0 && channel.leftOut.size === 0) this.#channels.delete(channel.name);
  }

  #hold(bytes: number): void {
    this.#bytes += bytes;
    this.#options.held.bytes += bytes;
  }
}
