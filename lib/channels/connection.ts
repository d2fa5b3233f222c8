import type { App } from '../apps/app.ts';
import type { JoiningSubscription, Subscription } from './subscription.ts';

/**
 * The wire under a connection. Only the gateway that owns the wire knows more of it.
 * Whole frames go in; `write` never blocks and never throws.
 */
export interface Transport {
  readonly remoteAddress: string;
  /** The connection on this wire, once it was established. */
  connection: Connection | undefined;
  /** False once the wire is gone. */
  readonly isOpen: boolean;
  /** Bytes accepted by `write` that the wire has not taken yet. */
  readonly queuedBytes: number;
  write(frames: Buffer): void;
  /** Sends the close code behind everything written, then ends the wire, at the latest after a few seconds. */
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

/** Who a connection signed in as (protocol.md 5). */
export interface SignedInUser {
  readonly id: string;
  readonly userInfoJson: string | undefined;
  readonly watchlist: readonly string[];
}

/** One client's connection: plain state, changed only by the synchronous functions of this folder and by stages. */
export class Connection {
  readonly socketId: string;
  readonly app: App;
  readonly transport: Transport;
  readonly openedAtMs: number;
  /** Set once, synchronously, by whatever ends the connection first. Nothing is joined or delivered after it. */
  closing = false;
  user: SignedInUser | undefined = undefined;
  /** Signed in, or joined a channel that needs authorisation (protocol.md 5, authorised connections). */
  authorised = false;
  readonly subscriptions = new Map<string, Subscription>();
  readonly joining = new Map<string, JoiningSubscription>();
  /** Numbers this connection's subscriptions. */
  incarnations = 0;
  /** Client events still allowed at `clientEventsAtMs` (a bucket that refills with time). */
  clientEventsLeft: number;
  clientEventsAtMs: number;

  constructor(socketId: string, app: App, transport: Transport, nowMs: number) {
    this.socketId = socketId;
    this.app = app;
    this.transport = transport;
    this.openedAtMs = nowMs;
    this.clientEventsLeft = app.config.clientEvents.perSecond;
    this.clientEventsAtMs = nowMs;
  }
}
