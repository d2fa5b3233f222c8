import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { MembershipAnnouncement } from '../membership/membership-store.ts';

/** An event on its way to the subscribers of a channel. `data` is the text that goes out, verbatim. */
export interface EventMessage {
  readonly kind: 'event';
  readonly appId: string;
  readonly channel: string;
  readonly event: string;
  readonly data: string;
  /** `data` as JSON, which spares this node the encoding if it is of that very text. Other nodes are not told. */
  readonly encoded?: { readonly data: string; readonly json: string } | undefined;
  /** Client events on presence channels: who sent it. */
  readonly userId?: string | undefined;
  /** The connection that does not get it. */
  readonly exceptSocketId?: string;
  /** A client sent it: no cache channel keeps it. */
  readonly fromClient?: true;
}

/** A user's first sign-in or last sign-out, for those who watch. */
export interface UserMessage {
  readonly kind: 'user';
  readonly appId: string;
  readonly userId: string;
  readonly online: boolean;
  readonly version: number;
}

export interface TerminateMessage {
  readonly kind: 'terminate';
  readonly appId: string;
  readonly userId: string;
}

export type MembershipMessage = { readonly kind: 'membership' } & MembershipAnnouncement;

export type BusMessage = EventMessage | UserMessage | TerminateMessage | MembershipMessage;

/**
 * Everything that may cross connections goes through the bus. A message reaches this node's own connections before
 * `publish` returns, and other nodes with an interest after that; what one node publishes for a channel arrives
 * everywhere in the order of its calls. Publishing never fails: what cannot cross to other nodes is counted.
 */
export interface Bus {
  publish(message: BusMessage): MaybePromise<void>;
  /** This node has a first subscriber of the channel, or has lost its last one. */
  setInterest(appId: string, channel: string, interested: boolean): void;
  /**
   * Fulfilled when what other nodes publish for the channel from now on arrives here. Not waited for while other nodes
   * cannot be heard anyway. Never fails.
   */
  listening(appId: string, channel: string): MaybePromise<void>;
}
