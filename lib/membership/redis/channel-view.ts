import type { Member, MembershipAnnouncement, MembershipSnapshot } from '../membership-store.ts';
import type { HeardChange } from './announcement-text.ts';

/** A channel as the store has it. */
export interface ChannelContent {
  readonly version: number;
  readonly subscriptions: number;
  readonly members: readonly Member[];
}

/** What this node changed by itself, while the store was away. */
export interface ChangeHere {
  readonly removed: readonly string[];
  readonly added: readonly Member[];
  readonly subscriptionCount?: number;
}

/** Between two versions of the store, which are whole numbers, this node can tell changes of its own. */
const step = 2 ** -12;
/** How many; the next one has to be the store's. */
const maxSteps = 4_000;

export interface ViewKind {
  readonly appId: string;
  readonly channel: string;
  /** A presence channel: who is there is kept. */
  readonly hasMembers: boolean;
  /** Its number of subscriptions is announced. */
  readonly isCounted: boolean;
}

/**
 * What this node knows of one channel, and has told its subscribers: the content always is what the announcements so far
 * add up to. Every method answers the announcement that follows, if any; their versions rise strictly.
 */
export class ChannelView {
  readonly #kind: ViewKind;
  readonly #members = new Map<string, Member>();
  #count: number | undefined;
  #version = 0;
  #told = 0;
  #steps = 0;
  #isLoaded = false;

  constructor(kind: ViewKind) {
    this.#kind = kind;
  }

  /** Whether the store's content was read. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The store's version of the content. */
  get version(): number {
    return this.#version;
  }

  /** The version of the last announcement: what was changed here counts, and a version of the store that fell does not. */
  get told(): number {
    return this.#told;
  }

  /** This node told changes that the store has yet to confirm. */
  get isAhead(): boolean {
    return this.#steps > 0;
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  snapshot(): MembershipSnapshot {
    return { version: this.#told, members: [...this.#members.values()] };
  }

  /** Takes the next change of the store. `gap`: changes before it are missing, so the channel has to be read again. */
  take(change: HeardChange): MembershipAnnouncement | 'gap' | undefined {
    if (change.version <= this.#version) return undefined;
    if (this.#kind.hasMembers && change.version > this.#version + 1) return 'gap';
    this.#version = change.version;
    const announcement = this.#change(change, change.version);
    // Of a user who came and went the store says nothing but the version.
    const isBare = change.removed.length === 0 && change.added.length === 0;
    if (announcement !== undefined || !isBare) return announcement;
    const { appId, channel } = this.#kind;
    return { appId, channel, version: this.#told, removed: [], added: [] };
  }

  /** Takes what was read; the difference to what was told is one announcement. */
  install(content: ChannelContent): MembershipAnnouncement | undefined {
    const { version, subscriptions } = content;
    this.#version = version;
    this.#isLoaded = true;
    this.#steps = 0;
    const isNewCount = this.#kind.isCounted && subscriptions !== (this.#count ?? 0);
    const difference = this.#kind.hasMembers ? this.#difference(content.members) : { removed: [], added: [] };
    return this.#change(
      isNewCount ? { ...difference, subscriptionCount: subscriptions } : difference,
      version,
    );
  }

  /** Takes a change that only this node knows of. Undefined also when there were too many of them: the rest is not told. */
  appliedHere(change: ChangeHere): MembershipAnnouncement | undefined {
    if (this.#steps >= maxSteps) return undefined;
    const announcement = this.#change(change, 0);
    if (announcement !== undefined) this.#steps++;
    return announcement;
  }

  /** Leaves out what changes nothing. */
  #change(
    { removed, added, subscriptionCount: count }: ChangeHere,
    version: number,
  ): MembershipAnnouncement | undefined {
    const gone = removed.filter((userId) => this.#members.delete(userId));
    const come = this.#kind.hasMembers ? added.filter((member) => this.#add(member)) : [];
    if (count !== undefined) this.#count = count;
    if (gone.length === 0 && come.length === 0 && count === undefined) {
      this.#told = Math.max(this.#told, version);
      return undefined;
    }
    this.#told = version > this.#told ? version : this.#told + step;
    const { appId, channel } = this.#kind;
    const announcement = { appId, channel, version: this.#told, removed: gone, added: come };
    return count === undefined ? announcement : { ...announcement, subscriptionCount: count };
  }

  #add(member: Member): boolean {
    const known = this.#members.get(member.userId);
    this.#members.set(member.userId, member);
    return known === undefined || known.userInfoJson !== member.userInfoJson;
  }

  /** Who came back with another info has gone and come. */
  #difference(members: readonly Member[]): ChangeHere {
    const read = new Map(members.map((member) => [member.userId, member]));
    const removed = [...this.#members.values()].filter(
      ({ userId, userInfoJson }) => read.get(userId)?.userInfoJson !== userInfoJson || !read.has(userId),
    );
    return { removed: removed.map(({ userId }) => userId), added: members };
  }
}
