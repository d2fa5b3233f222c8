import type { App } from '../apps/app.ts';
import type { Connection, SignedInUser, Transport } from '../channels/connection.ts';
import type { PendingLeave } from '../channels/subscription.ts';
import type { Member } from '../membership/membership-store.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import type { ClientMessage } from '../protocol/client-messages.ts';
import type { EncodedData } from '../protocol/server-messages.ts';

/** What the client asked for when it opened its WebSocket. */
export interface ConnectionRequest {
  /** The key of `/app/KEY`, decoded; undefined for any other path. */
  readonly appKey: string | undefined;
  /** The query's `protocol`, as text. */
  readonly protocol: string | undefined;
  /** The client library and its version, as it says: not to be trusted. */
  readonly client: string;
  readonly origin: string | undefined;
  readonly isSecure: boolean;
}

// connect

export interface ConnectionAttempted {
  readonly transport: Transport;
  readonly request: ConnectionRequest;
}
export interface ConnectionAdmitted extends ConnectionAttempted {
  readonly app: App;
}
export interface ConnectionEstablished extends ConnectionAttempted {
  readonly connection: Connection;
}

// message

/** A frame from a client: the bytes of a text, which are valid UTF-8, or the length in bytes of a binary one. */
export interface MessageReceived {
  readonly transport: Transport;
  readonly frame: Buffer | number;
}
export interface MessageOpened {
  readonly connection: Connection;
  readonly frame: Buffer;
}
export interface MessageDecoded {
  readonly connection: Connection;
  readonly message: ClientMessage;
}
/** What a client may do and is about to. */
export type AuthorizedMessage =
  | {
      readonly kind: 'subscribe';
      readonly connection: Connection;
      readonly channel: ChannelName;
      /** Presence channels: who joins. */
      readonly member: Member | undefined;
    }
  | { readonly kind: 'unsubscribe'; readonly connection: Connection; readonly channel: string }
  | {
      readonly kind: 'signin';
      readonly connection: Connection;
      readonly user: SignedInUser;
      /** The text that was signed, echoed unchanged. */
      readonly userData: string;
      /** True when the watchlist was longer than allowed and was cut. */
      readonly watchlistCut: boolean;
    }
  | {
      readonly kind: 'client-event';
      readonly connection: Connection;
      readonly channel: string;
      readonly event: string;
      readonly data: string;
      /** What the sender's text of `data` spares this node. Counts only while `data` is what it was. */
      readonly encoded?: EncodedData | undefined;
      /** Presence channels: who the sender is there. */
      readonly userId: string | undefined;
    }
  | { readonly kind: 'ping' | 'pong'; readonly connection: Connection };

// publish

export interface PublishReceived {
  readonly app: App;
  /** `/batch_events` rather than `/events`. */
  readonly isBatch: boolean;
  readonly body: Buffer;
  /** Answers the publisher; only the first call counts. */
  readonly respond: (status: number, body: string) => void;
}
export interface PublishRequestEvent {
  readonly event: string;
  readonly data: string;
  readonly channels: readonly ChannelName[];
  readonly exceptSocketId: string | undefined;
  readonly info: ReadonlySet<string>;
}
export interface PublishChecked {
  readonly app: App;
  readonly isBatch: boolean;
  readonly events: readonly PublishRequestEvent[];
  readonly respond: (status: number, body: string) => void;
}
/** One event for one channel. */
export interface PublishedEvent {
  readonly app: App;
  readonly channel: ChannelName;
  readonly event: string;
  /** Delivered verbatim. */
  readonly data: string;
  readonly exceptSocketId: string | undefined;
}

// disconnect

export type DisconnectCause =
  | 'client'
  | 'error'
  | 'pong-timeout'
  | 'slow'
  | 'limit'
  | 'terminated'
  | 'drain'
  | 'unauthorised'
  | 'stage';

/** A connection ended, or a client unsubscribed from one channel: both take the same way. */
export type Departed =
  | {
      readonly kind: 'connection';
      readonly connection: Connection;
      readonly cause: DisconnectCause;
      readonly closeCode: number;
    }
  | { readonly kind: 'unsubscribe'; readonly connection: Connection; readonly channel: string };

/** What the stores have yet to hear of a departure. */
export interface Departure {
  readonly departed: Departed;
  readonly leaves: readonly PendingLeave[];
  /** Who is to be signed out; undefined once it was heard, or when nobody is. */
  userId: string | undefined;
  /** The app's quota still counts the connection. */
  holdsQuota: boolean;
}
export interface ConnectionSettled {
  readonly connection: Connection;
  readonly cause: DisconnectCause;
  readonly closeCode: number;
  /** Subscriptions it held. */
  readonly subscriptions: number;
  readonly durationMs: number;
}

// webhook and delivery

export type { DueBatch, LaneTurn } from '../webhooks/turn.ts';
