import type { MaybePromise } from '../../flow/maybe-promise.ts';
import { StoreAway, type StoreLink } from '../../redis/store-link.ts';
import type { Member, MembershipAnnouncement, MembershipSnapshot } from '../membership-store.ts';
import { type HeardChange, parseAnnouncement } from './announcement-text.ts';
import type { ChangeHere, ChannelContent } from './channel-view.ts';
import { ReadQueue } from './read-queue.ts';
import { readView } from './read-view.ts';
import { hasReached } from './snapshot-waiters.ts';
import { newEntry, type ViewEntry } from './view-entry.ts';

/** Channels that are read at a time. */
const maxReads = 16;
/** Changes that are held while their channel is read; with more it is read again. */
const maxHeld = 1_024;
/** How often it is looked whether the store has confirmed what this node changed by itself. */
const settleMs = 100;

export interface ChannelViewsTools {
  readonly link: StoreLink;
  /** Takes each announcement to the subscribers of this node. */
  readonly announce: (announcement: MembershipAnnouncement) => void;
  /** The users of a presence channel with a connection to this node. */
  readonly localMembers: (appId: string, channel: string) => Iterable<Member>;
  /** Whether the store has yet to confirm changes of the channel that were shown here. */
  readonly isUnconfirmed: (appId: string, channel: string) => boolean;
  /** Whether it is a presence channel. */
  readonly hasMembers: (channel: string) => boolean;
  /** Whether the number of subscriptions of such a channel, no presence channel, is announced. */
  readonly isCounted: (appId: string, channel: string) => boolean;
  /** A view could not be read although the store is there, or an announcement was not taken. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * What this node knows of the channels that it listens to: read from the store once it listens, and kept up by what the
 * store announces from then on. Subscribers are told in the order of versions; what was missed is told as one difference.
 * Of a channel that this node changed by itself, while the store was away, nothing of the store's is shown until the store
 * has confirmed that and the channel was read: sooner, it would be shown as undone.
 */
export class ChannelViews {
  readonly #tools: ChannelViewsTools;
  readonly #link: StoreLink;
  readonly #entries = new Map<string, ViewEntry>();
  readonly #queue = new ReadQueue<ViewEntry>(maxReads, (entry) => this.#readNow(entry));
  readonly #waiting = new Set<ViewEntry>();
  #settling: NodeJS.Timeout | undefined;
  #reads = 0;
  #gaps = 0;

  constructor(tools: ChannelViewsTools) {
    this.#tools = tools;
    this.#link = tools.link;
    void this.#link.gaps$.forEach(() => {
      for (const entry of this.#entries.values()) this.#read(entry);
    });
    void this.#link.up$.forEach((isUp) => {
      if (isUp) this.#readStale();
      else for (const entry of [...this.#waiting]) this.#answerAsKnown(entry);
    });
  }

  /** Channels of which something is kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Snapshots that wait for a version that is on its way. */
  get waiting(): number {
    let waiting = 0;
    for (const { waiters } of this.#waiting) waiting += waiters.size;
    return waiting;
  }

  /** Channels that are being read, or wait for it. */
  get reading(): number {
    return this.#queue.size;
  }

  /** Channels read since the start. */
  get reads(): number {
    return this.#reads;
  }

  /** Of these, the ones of which a change was missed. */
  get gaps(): number {
    return this.#gaps;
  }

  /** This node has a first subscriber of the channel, or has lost its last one. Nothing is kept of plain, uncounted channels. */
  setInterest(appId: string, channel: string, interested: boolean): void {
    const key = keyOf(appId, channel);
    const entry = this.#entries.get(key);
    if (entry === undefined && interested) this.#begin(key, appId, channel);
    if (entry === undefined || interested) return;
    this.#entries.delete(key);
    this.#queue.delete(entry);
    this.#answerAsKnown(entry);
  }

  /** From here on every change of the channel is heard: now it can be read. */
  listening(appId: string, channel: string): void {
    const entry = this.#find(appId, channel);
    if (entry !== undefined) this.#read(entry);
  }

  /** Takes what a script said of the channel, the text behind the `m`. False: it cannot be understood. */
  heard(appId: string, channel: string, text: string): boolean {
    const entry = this.#find(appId, channel);
    if (entry === undefined) return true;
    const change = parseAnnouncement(text);
    if (change === undefined) return false;
    if (entry.reading === 'under way') this.#hold(entry, change);
    // What was heard before the channel is read is in what is read.
    else if (entry.view.isAhead) this.#read(entry);
    else if (entry.view.isLoaded) this.#take(entry, change);
    return true;
  }

  /**
   * Who is in the channel, at this version or a later one. While the store is away: who is known to be, and who is here.
   */
  snapshot(appId: string, channel: string, atLeast: number): MaybePromise<MembershipSnapshot> {
    const entry = this.#find(appId, channel);
    if (!this.#link.isUp) return this.#known(appId, channel, entry);
    if (entry === undefined) return this.#readOnce(appId, channel);
    if (entry.view.isLoaded && hasReached(entry.view, atLeast)) return entry.view.snapshot();
    this.#waiting.add(entry);
    return entry.waiters.add(atLeast, () => this.#read(entry));
  }

  /** The version that the channel's subscribers here were last told of; 0 when they were told of none. */
  versionOf(appId: string, channel: string): number {
    return this.#find(appId, channel)?.view.told ?? 0;
  }

  /** By user, as last known here; empty when nothing is. */
  membersOf(appId: string, channel: string): ReadonlyMap<string, Member> {
    return this.#find(appId, channel)?.view.members ?? nobody;
  }

  /** The store is away and this node's own connections changed the channel: its subscribers here are told so. */
  appliedHere(appId: string, channel: string, change: ChangeHere): void {
    const entry = this.#find(appId, channel);
    if (entry === undefined) return;
    this.#showHere(entry, change);
    // The store came back just now: nothing else would have the channel read.
    if (this.#link.isUp) this.#readLater();
  }

  #find(appId: string, channel: string): ViewEntry | undefined {
    return this.#entries.get(keyOf(appId, channel));
  }

  #begin(key: string, appId: string, channel: string): void {
    const hasMembers = this.#tools.hasMembers(channel);
    const isCounted = !hasMembers && this.#tools.isCounted(appId, channel);
    if (!hasMembers && !isCounted) return;
    this.#entries.set(key, newEntry({ appId, channel, hasMembers, isCounted }));
  }

  #hold(entry: ViewEntry, change: HeardChange): void {
    if (entry.held.length < maxHeld) {
      entry.held.push(change);
      return;
    }
    entry.held = [];
    entry.isAgain = true;
  }

  #take(entry: ViewEntry, change: HeardChange): void {
    const taken = entry.view.take(change);
    if (taken === 'gap') {
      this.#gaps++;
      this.#read(entry);
      return;
    }
    this.#announce(taken);
    this.#answerReached(entry);
  }

  #showHere(entry: ViewEntry, change: ChangeHere): void {
    const announcement = entry.view.appliedHere(change);
    if (announcement !== undefined) entry.isOutrun = true;
    this.#announce(announcement);
  }

  /** Those that have to be read since the store is back. */
  #readStale(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    for (const entry of this.#entries.values()) if (entry.isStale || entry.view.isAhead) this.#read(entry);
  }

  #readLater(): void {
    this.#settling ??= setTimeout(() => this.#readStale(), settleMs).unref();
  }

  #read(entry: ViewEntry): void {
    if (!this.#link.isUp) {
      entry.isStale = true;
      this.#answerAsKnown(entry);
      return;
    }
    if (entry.reading === 'under way') {
      entry.isAgain = true;
      return;
    }
    entry.reading = 'queued';
    this.#queue.add(entry);
  }

  async #readNow(entry: ViewEntry): Promise<void> {
    if (entry.view.isAhead && this.#tools.isUnconfirmed(entry.appId, entry.channel)) {
      entry.reading = 'no';
      this.#readLater();
      return;
    }
    this.#reads++;
    entry.reading = 'under way';
    entry.isAgain = false;
    entry.isOutrun = false;
    entry.isStale = false;
    entry.held = [];
    try {
      this.#install(entry, await readView(this.#link, entry.appId, entry.channel));
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  #install(entry: ViewEntry, content: ChannelContent): void {
    entry.reading = 'no';
    const { held } = entry;
    entry.held = [];
    if (this.#find(entry.appId, entry.channel) !== entry) return;
    if (!entry.isOutrun) {
      this.#announce(entry.view.install(content));
      this.#answerReached(entry, true);
      for (const change of held) this.#take(entry, change);
    }
    if (entry.isAgain || entry.isOutrun) this.#read(entry);
  }

  #fail(entry: ViewEntry, error: unknown): void {
    entry.reading = 'no';
    entry.isStale = true;
    if (error instanceof StoreAway) {
      this.#answerAsKnown(entry);
      if (this.#link.isUp) this.#readLater();
      return;
    }
    this.#tools.onFailed(error);
    this.#waiting.delete(entry);
    entry.waiters.fail(error);
  }

  #announce(announcement: MembershipAnnouncement | undefined): void {
    if (announcement === undefined) return;
    try {
      this.#tools.announce(announcement);
    } catch (error) {
      this.#tools.onFailed(error);
    }
  }

  #answerReached(entry: ViewEntry, isRead = false): void {
    entry.waiters.answerReached(entry.view, isRead);
    if (entry.waiters.size === 0) this.#waiting.delete(entry);
  }

  #answerAsKnown(entry: ViewEntry): void {
    this.#waiting.delete(entry);
    if (entry.waiters.size > 0) entry.waiters.answerAll(this.#known(entry.appId, entry.channel, entry));
  }

  async #readOnce(appId: string, channel: string): Promise<MembershipSnapshot> {
    try {
      return await readView(this.#link, appId, channel);
    } catch (error) {
      if (error instanceof StoreAway) return this.#known(appId, channel, this.#find(appId, channel));
      throw error;
    }
  }

  /** Who is here and was not told yet is told first. */
  #known(appId: string, channel: string, entry: ViewEntry | undefined): MembershipSnapshot {
    const here = [...this.#tools.localMembers(appId, channel)];
    if (entry === undefined) return { version: 0, members: here };
    const { view } = entry;
    const added = here.filter(({ userId }) => !view.members.has(userId));
    this.#showHere(entry, { removed: [], added });
    return view.snapshot();
  }
}

const nobody: ReadonlyMap<string, Member> = new Map();

function keyOf(appId: string, channel: string): string {
  return `${appId} ${channel}`;
}
