import { encodeTextFrame } from '../protocol/websocket-frame.ts';
import type { Channel, Entry, Pass } from './channel.ts';
import type { ChannelRegistry } from './channel-registry.ts';
import type { Connection } from './connection.ts';
import { DirtyChannels } from './dirty-channels.ts';
import { LookAhead } from './look-ahead.ts';
import type { Frames } from './net-changes.ts';
import type { Subscription } from './subscription.ts';

/** Writes in one go; then other work of the event loop has its turn. */
export const writesPerSlice = 500;
/** What is pending for longer is overdue: a storm of events from sockets keeps the end of the turn away. */
const overdueMs = 2;
/** What may be pending on one channel. Beyond it the channel is flushed at once by whoever publishes. */
export const maxPendingEntries = 1_024;
export const maxPendingBytes = 1024 * 1024;

export interface FanoutHooks {
  /** A connection has more bytes waiting than `maxBufferedBytes`: it reads too slowly. */
  readonly onSlow: (connection: Connection) => void;
  /** A channel reached its cap of pending entries and was flushed at once. */
  readonly onInline: (channel: Channel, entries: number) => void;
  readonly schedule?: (flush: () => void) => void;
}

/**
 * Sends what is published to those who are subscribed: each event encoded once, a pending list per channel, and once per
 * turn of the event loop one write per socket with everything that is pending there.
 *
 * Each subscription has a cursor into its channel's entries. So a new subscriber gets nothing from before it, and a
 * direct reply first catches its own socket up, without flushing anybody else's.
 */
export class Fanout {
  readonly #registry: ChannelRegistry;
  readonly #hooks: FanoutHooks;
  readonly #maxBufferedBytes: number;
  readonly #schedule: (flush: () => void) => void;
  readonly #dirty = new DirtyChannels();
  readonly #flush = (): void => this.#flushSlice();
  #scheduled = false;
  #isFlushing = false;
  #pendingSinceMs = 0;
  #publishOrder = 0;
  #encoded = 0;
  #writes = 0;
  #pendingEntries = 0;

  constructor(registry: ChannelRegistry, maxBufferedBytes: number, hooks: FanoutHooks) {
    this.#registry = registry;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#hooks = hooks;
    this.#schedule = hooks.schedule ?? setImmediate;
  }

  /** Events encoded since the start: one for each publish to a channel with subscribers. */
  get encoded(): number {
    return this.#encoded;
  }

  /** Writes to sockets since the start. */
  get writes(): number {
    return this.#writes;
  }

  /** Entries that wait for the next flush. */
  get depth(): number {
    return this.#pendingEntries;
  }

  /** Puts one message on the channel's pending list. Nobody subscribed: not even encoded. */
  publish(channel: Channel, text: string, except?: Connection, version = 0): void {
    if (channel.subscriptions.size === 0) return;
    this.#add(channel, { frame: encodeTextFrame(text), except, version }, 1);
    this.flushOverdue();
    if (channel.entries.length >= maxPendingEntries || channel.pendingBytes >= maxPendingBytes) {
      this.#hooks.onInline(channel, channel.entries.length);
      this.flushChannel(channel);
    }
  }

  /**
   * Puts the frames of an announcement on the pending list, as one entry. However large, it waits for the flush: there is
   * one in each of the channel's windows, and its bytes do not count against the cap.
   */
  publishFrames(channel: Channel, { bytes, count }: Frames, version: number): void {
    if (channel.subscriptions.size === 0) return;
    this.#add(channel, { frame: bytes, except: undefined, version }, count);
  }

  /** Sends one message to one connection, behind everything that was published to it before. */
  reply(connection: Connection, text: string): void {
    this.replyEncoded(connection, encodeTextFrame(text));
  }

  /** As `reply`, for frames that several connections are sent. */
  replyEncoded(connection: Connection, frames: Buffer): void {
    this.catchUp(connection);
    this.#write(connection, frames);
  }

  /** Sends the connection what is pending for it, in the order it was first published. */
  catchUp(connection: Connection): void {
    if (this.#pendingEntries === 0 || connection.closing) return;
    const behind: Subscription[] = [];
    for (const subscription of connection.subscriptions.values()) {
      if (subscription.cursor < subscription.channel.nextSequence) behind.push(subscription);
    }
    behind.sort((a, b) => a.channel.publishOrder - b.channel.publishOrder);
    for (const subscription of behind) this.#sendRest(subscription, subscription.channel.nextSequence);
  }

  /**
   * Begins the flush now when it should have come already. The event loop hands out thousands of closed sockets in one
   * turn, so whoever works on things that come in storms asks this after each.
   */
  flushOverdue(): void {
    if (this.#dirty.isEmpty || this.#isFlushing) return;
    if (performance.now() - this.#pendingSinceMs >= overdueMs) this.#flushPending();
  }

  /** Sends everything pending on the channel to everybody, now. */
  flushChannel(channel: Channel): void {
    while (channel.entries.length > 0) {
      this.#flushSome(channel, Number.POSITIVE_INFINITY);
    }
  }

  #add(channel: Channel, entry: Entry, frames: number): void {
    this.#encoded += frames;
    channel.entries.push(entry);
    channel.pendingBytes += countedBytes(entry);
    this.#pendingEntries++;
    if (!channel.scheduled) this.#enlist(channel);
  }

  #enlist(channel: Channel): void {
    channel.scheduled = true;
    channel.publishOrder = ++this.#publishOrder;
    if (this.#dirty.isEmpty) this.#pendingSinceMs = performance.now();
    this.#dirty.add(channel);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(this.#flush);
  }

  #flushSlice(): void {
    this.#flushPending();
    this.#scheduled = !this.#dirty.isEmpty;
    if (this.#scheduled) this.#schedule(this.#flush);
  }

  #flushPending(): void {
    this.#isFlushing = true;
    let budget = writesPerSlice;
    for (let channel = this.#dirty.next(); channel !== undefined; channel = this.#dirty.next()) {
      budget -= this.#flushSome(channel, budget);
      if (channel.entries.length > 0) this.#dirty.putBack(channel);
      else this.#finish(channel);
      if (budget <= 0) break;
    }
    this.#pendingSinceMs = performance.now();
    this.#isFlushing = false;
  }

  #finish(channel: Channel): void {
    channel.scheduled = false;
    this.#registry.release(channel);
  }

  /** Goes on with the channel's pass, or begins one; answers how many subscribers it visited, at least 1. */
  #flushSome(channel: Channel, budget: number): number {
    if (channel.entries.length === 0) return 1;
    const pass = (channel.pass ??= beginPass(channel));
    if (pass.lowestVersion === Number.POSITIVE_INFINITY) return this.#visit(channel, pass, budget);
    const startedMs = performance.now();
    const visited = this.#visit(channel, pass, budget);
    pass.costMs += performance.now() - startedMs;
    if (channel.pass !== pass) channel.announcing.costMs += pass.costMs;
    return visited;
  }

  #visit(channel: Channel, pass: Pass, budget: number): number {
    let visited = 0;
    while (visited < budget) {
      const next = pass.remaining.next(budget - visited);
      if (next === undefined) {
        this.#endPass(channel, pass);
        break;
      }
      visited++;
      this.#deliver(next, pass);
      // A delivery can end a slow connection, whose leave can fill this very list and flush it from within.
      if (channel.pass !== pass) break;
    }
    return Math.max(1, visited);
  }

  #endPass(channel: Channel, pass: Pass): void {
    for (const entry of channel.entries.splice(0, pass.count)) channel.pendingBytes -= countedBytes(entry);
    channel.firstSequence = pass.to;
    channel.pass = undefined;
    this.#pendingEntries -= pass.count;
  }

  #deliver(subscription: Subscription, pass: Pass): void {
    const { connection } = subscription;
    const wantsAll =
      subscription.cursor === pass.from &&
      subscription.snapshotVersion < pass.lowestVersion &&
      connection !== pass.onlyExcluded &&
      pass.excluded?.has(connection) !== true;
    if (!wantsAll) {
      this.#sendRest(subscription, pass.to);
      return;
    }
    subscription.cursor = pass.to;
    this.#write(connection, pass.frames);
  }

  /** Sends the entries from the subscriber's cursor up to `to` that are meant for it. */
  #sendRest(subscription: Subscription, to: number): void {
    const { channel, cursor } = subscription;
    if (cursor >= to) return;
    subscription.cursor = to;
    const entries = channel.entries.slice(cursor - channel.firstSequence, to - channel.firstSequence);
    const frames = entries.filter((entry) => isFor(entry, subscription)).map((entry) => entry.frame);
    const [first] = frames;
    if (first !== undefined) {
      this.#write(subscription.connection, frames.length === 1 ? first : Buffer.concat(frames));
    }
  }

  #write(connection: Connection, frames: Buffer): void {
    if (connection.closing) return;
    const { transport } = connection;
    if (transport.queuedBytes > this.#maxBufferedBytes) {
      this.#hooks.onSlow(connection);
      return;
    }
    this.#writes++;
    transport.write(frames);
  }
}

/** What an entry takes of `maxPendingBytes`. */
function countedBytes({ frame, version }: Entry): number {
  return version === 0 ? frame.length : 0;
}

function isFor(entry: Entry, subscription: Subscription): boolean {
  return (
    entry.except !== subscription.connection &&
    (entry.version === 0 || entry.version > subscription.snapshotVersion)
  );
}

function beginPass(channel: Channel): Pass {
  const { entries, firstSequence: from } = channel;
  const excluded = new Set<Connection>();
  let lowestVersion = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    if (entry.except !== undefined) excluded.add(entry.except);
    if (entry.version > 0 && entry.version < lowestVersion) lowestVersion = entry.version;
  }
  const [first] = entries;
  const frames =
    entries.length === 1 && first !== undefined
      ? first.frame
      : Buffer.concat(entries.map((entry) => entry.frame));
  return {
    frames,
    count: entries.length,
    from,
    to: from + entries.length,
    onlyExcluded: excluded.size === 1 ? [...excluded][0] : undefined,
    excluded: excluded.size > 1 ? excluded : undefined,
    lowestVersion,
    remaining: new LookAhead(channel.subscriptions.values()),
    costMs: 0,
  };
}
