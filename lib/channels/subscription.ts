import type { EventMessage } from '../bus/bus.ts';
import type { Channel } from './channel.ts';
import type { Connection } from './connection.ts';

/** A connection that gets what is published to a channel. */
export interface Subscription {
  readonly connection: Connection;
  readonly channel: Channel;
  readonly incarnation: number;
  /** Presence channels: who the connection is there. */
  readonly userId: string | undefined;
  /** The channel's version that the subscriber was shown, 0 for none; announcements up to it are not for this one. */
  readonly snapshotVersion: number;
  /** The channel's sequence number of the next entry this subscriber has not been sent. */
  cursor: number;
}

/**
 * A subscription whose answer is not there yet. Nothing may reach the client before its `subscription_succeeded`
 * (protocol.md 2.3).
 */
export interface JoiningSubscription {
  readonly connection: Connection;
  readonly channel: Channel;
  readonly incarnation: number;
  readonly userId: string | undefined;
  /** Cache channels: events that came while the cached one was looked up; the oldest give way beyond the cap. */
  readonly heldEvents: EventMessage[];
}

/** A subscription that ended and that the membership store has yet to hear of. */
export interface PendingLeave {
  readonly channel: Channel;
  readonly socketId: string;
  readonly incarnation: number;
  readonly userId: string | undefined;
  /** Whether a call to the store carries it, a batch or a join that had to come after it, and whether it was answered. */
  state: 'untold' | 'carried' | 'heard';
}
