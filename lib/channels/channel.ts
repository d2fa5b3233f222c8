import type { App } from '../apps/app.ts';
import type { ChannelName } from '../protocol/channel-name.ts';
import { AnnounceWindow } from './announce-window.ts';
import type { Connection } from './connection.ts';
import type { LookAhead } from './look-ahead.ts';
import { PendingLeaves } from './pending-leaves.ts';
import type { JoiningSubscription, Subscription } from './subscription.ts';

/** One frame for the subscribers of a channel, or an announcement's frames in one. */
export interface Entry {
  readonly frame: Buffer;
  /** The connection it is not for. */
  readonly except: Connection | undefined;
  /** Announcements: the version they lead to; 0 for every other frame. */
  readonly version: number;
}

/** How many subscriptions a channel had at a version. */
export interface SubscriptionCount {
  readonly count: number;
  readonly version: number;
}

/** One trip over a channel's subscribers with the entries that were pending when it began. */
export interface Pass {
  readonly frames: Buffer;
  readonly count: number;
  readonly from: number;
  readonly to: number;
  /** Whom some of its entries are not for: the one, or all when they are several. */
  readonly onlyExcluded: Connection | undefined;
  readonly excluded: ReadonlySet<Connection> | undefined;
  /** The lowest version among the entries; infinite when none has one. */
  readonly lowestVersion: number;
  readonly remaining: LookAhead;
  /** Time spent on it so far; measured for announcements only. */
  costMs: number;
}

/** A channel as this node sees it: who of its connections is subscribed, and what they have yet to be sent. */
export class Channel {
  readonly app: App;
  readonly name: ChannelName;
  readonly subscriptions = new Set<Subscription>();
  readonly joining = new Set<JoiningSubscription>();
  readonly pendingLeaves = new PendingLeaves();

  /** Entries not yet sent to everybody; the first one has the sequence number `firstSequence`. */
  readonly entries: Entry[] = [];
  firstSequence = 0;
  pendingBytes = 0;
  /** When the oldest pending entry was published, as an order among channels. */
  publishOrder = 0;
  scheduled = false;
  pass: Pass | undefined = undefined;

  readonly announcing = new AnnounceWindow();
  /** Subscription counts: the last one heard of, when one was sent, and the one that waits for its time (protocol.md 3.5). */
  lastCount: SubscriptionCount | undefined = undefined;
  countSentAtMs = 0;
  waitingCount: SubscriptionCount | undefined = undefined;
  /** Cache channels: when the application was last told of a miss. */
  cacheMissToldAtMs = Number.NEGATIVE_INFINITY;

  constructor(app: App, name: ChannelName) {
    this.app = app;
    this.name = name;
  }

  get nextSequence(): number {
    return this.firstSequence + this.entries.length;
  }

  /** Nothing on this node refers to the channel any more. */
  get isIdle(): boolean {
    return (
      this.subscriptions.size === 0 &&
      this.joining.size === 0 &&
      this.pendingLeaves.size === 0 &&
      this.entries.length === 0
    );
  }
}
