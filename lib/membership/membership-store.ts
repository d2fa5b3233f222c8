import type { MaybePromise } from '../flow/maybe-promise.ts';

/** A user of a presence channel. `userInfoJson` is the JSON text the user came with, passed on untouched. */
export interface Member {
  readonly userId: string;
  readonly userInfoJson: string | undefined;
}

/**
 * A subscription begins. `incarnation` numbers the subscriptions of one connection: a leave names the one it ends, so it
 * can never undo a later join. A join of a connection that is in the channel already replaces the older incarnation.
 */
export interface Join {
  readonly kind: 'join';
  readonly appId: string;
  readonly channel: string;
  readonly socketId: string;
  readonly incarnation: number;
  /** Presence channels only. */
  readonly member?: Member;
  /** Distinct users the channel may have; 0 means no limit. A user who is there already always may join again. */
  readonly maxMembers: number;
  /** Announce the number of subscriptions when it changes. */
  readonly counted: boolean;
}

export interface Leave {
  readonly kind: 'leave';
  readonly appId: string;
  readonly channel: string;
  readonly socketId: string;
  readonly incarnation: number;
  readonly counted: boolean;
}

export type MembershipChange = Join | Leave;

export type ChangeResult =
  | {
      readonly kind: 'joined';
      /** The channel's version with this join in it. */
      readonly version: number;
      readonly occupied: boolean;
    }
  | { readonly kind: 'full' }
  | { readonly kind: 'left'; readonly vacated: boolean }
  /** The leave named an incarnation that is not there: nothing changed. */
  | { readonly kind: 'ignored' };

/**
 * What a channel's subscribers are told when its membership changed. Each call of `apply` that changes a channel makes one
 * version of it and one announcement, however many changes it carries: a user who came and went within the call is not in
 * it, one who went and came back is in both lists. Removals come before additions.
 */
export interface MembershipAnnouncement {
  readonly appId: string;
  readonly channel: string;
  readonly version: number;
  readonly removed: readonly string[];
  readonly added: readonly Member[];
  /** Only for changes that are `counted`. */
  readonly subscriptionCount?: number;
}

/** All members of a presence channel at one version. */
export interface MembershipSnapshot {
  readonly version: number;
  readonly members: readonly Member[];
}

export interface ChannelSummary {
  readonly channel: string;
  readonly subscriptions: number;
  /** Distinct users; 0 for channels without presence. */
  readonly users: number;
}

/**
 * Who is subscribed to what, for all nodes of this deployment.
 *
 * - Changes of one channel take effect in the order of the calls, whenever their answers come.
 * - A call that alters a channel's members or its counted number raises its `version` and announces it once, in version
 *   order, to every node with subscribers: over the bus, in the same step that changed the state.
 * - The same step records what changed for those outside (`LifecycleRecorder`): no change without its event.
 * - Answers may be promises. After one, a caller checks again that its connection is open.
 * - `apply` does not fail for want of a backend: an implementation that cannot reach it keeps the changes and answers
 *   from what this node knows.
 */
export interface MembershipStore {
  apply(changes: readonly MembershipChange[]): MaybePromise<readonly ChangeResult[]>;
  /** Of a presence channel; empty at version 0 when nobody is there. */
  snapshot(appId: string, channel: string): MaybePromise<MembershipSnapshot>;
  /** Occupied channels of the app whose name starts with `prefix`. */
  channels(appId: string, prefix: string): MaybePromise<readonly ChannelSummary[]>;
  /** Undefined when nobody is subscribed. */
  channel(appId: string, channel: string): MaybePromise<ChannelSummary | undefined>;
  /** The users of a presence channel, each once. */
  users(appId: string, channel: string): MaybePromise<readonly string[]>;
}
