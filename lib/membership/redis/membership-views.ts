import type { MaybePromise } from '../../flow/maybe-promise.ts';
import type { Member, MembershipSnapshot } from '../membership-store.ts';

/** What changed in a channel while the store could not say it. */
export interface ChangedHere {
  readonly removed: readonly string[];
  readonly added: readonly Member[];
  readonly subscriptionCount?: number;
}

/** What this node knows of the channels of the whole deployment, from what the store announces. */
export interface MembershipViews {
  /** The members at version `atLeast` or a later one. */
  snapshot(appId: string, channel: string, atLeast: number): MaybePromise<MembershipSnapshot>;
  /** 0 when nothing is known. */
  versionOf(appId: string, channel: string): number;
  /** As last known here; empty when unknown. */
  membersOf(appId: string, channel: string): ReadonlyMap<string, Member>;
  /** Shows this node's own subscribers what the store does not announce now. */
  appliedHere(appId: string, channel: string, changed: ChangedHere): void;
}
