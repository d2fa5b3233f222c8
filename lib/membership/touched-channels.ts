import type { Member, MembershipAnnouncement, MembershipChange } from './membership-store.ts';

/** What a touched channel is told from: its version, raised by the first change, and its subscriptions at the end. */
interface Versioned {
  version: number;
  readonly subscribers: { readonly size: number };
}

/** What one call changed in one channel. The first change of the call raises the channel's version. */
class TouchedChannel {
  readonly appId: string;
  readonly channel: string;
  readonly #state: Versioned;
  readonly #version: number;
  /** Made for those who need them: most channels have no members. */
  #removed: Set<string> | undefined;
  #added: Map<string, Member> | undefined;
  #counted = false;

  constructor({ appId, channel }: MembershipChange, state: Versioned) {
    this.appId = appId;
    this.channel = channel;
    this.#state = state;
    this.#version = ++state.version;
  }

  added(member: Member): void {
    this.#added ??= new Map<string, Member>();
    this.#added.set(member.userId, member);
  }

  /** One who came within the call was never seen. */
  removed(userId: string): void {
    if (this.#added?.delete(userId) === true) return;
    this.#removed ??= new Set<string>();
    this.#removed.add(userId);
  }

  counted(): void {
    this.#counted = true;
  }

  get count(): number | undefined {
    return this.#counted ? this.#state.subscribers.size : undefined;
  }

  get announcement(): MembershipAnnouncement {
    const { count } = this;
    return {
      appId: this.appId,
      channel: this.channel,
      version: this.#version,
      removed: this.#removed === undefined ? [] : [...this.#removed],
      added: this.#added === undefined ? [] : [...this.#added.values()],
      ...(count === undefined ? {} : { subscriptionCount: count }),
    };
  }
}

/** The channels that one call of `apply` changed: each is announced once, at the end. */
export class TouchedChannels {
  readonly #channels = new Map<Versioned, TouchedChannel>();

  of(change: MembershipChange, state: Versioned): TouchedChannel {
    let touched = this.#channels.get(state);
    if (touched === undefined) {
      touched = new TouchedChannel(change, state);
      this.#channels.set(state, touched);
    }
    return touched;
  }

  /** In the order in which the channels were first changed. */
  announcements(): readonly MembershipAnnouncement[] {
    return Array.from(this.#channels.values(), (touched) => touched.announcement);
  }

  counts(): readonly { readonly appId: string; readonly channel: string; readonly count: number }[] {
    return [...this.#channels.values()].flatMap(({ appId, channel, count }) =>
      count === undefined ? [] : [{ appId, channel, count }],
    );
  }
}
