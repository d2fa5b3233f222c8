import { type Clock, systemClock } from '../flow/clock.ts';
import type { MembershipAnnouncement } from '../membership/membership-store.ts';
import { maxPendingAnnouncements } from './announce-window.ts';
import type { Channel } from './channel.ts';
import type { ChannelRegistry } from './channel-registry.ts';
import type { Fanout } from './fanout.ts';
import { cutAt, netFrames } from './net-changes.ts';
import { SubscriptionCounts } from './subscription-counts.ts';

/** However long an announcement takes, the next one is not kept waiting for longer than this, unless `windowMs` is. */
export const maxWindowMs = 2_000;

export interface AnnouncerSettings {
  /** A channel's window in milliseconds: one announcement in it, with everything since the last. */
  readonly windowMs: number;
  readonly clock?: Clock;
}

/**
 * Tells a channel's subscribers on this node who came, who went and how many are there: at most once in each of the
 * channel's windows, in one write for each socket. After a quiet window the announcement goes out with the end of the
 * tick, later ones with the end of the window. A window is longer than `windowMs` while the last announcement took more
 * than half of it, up to `maxWindowMs`: what is measured may also be a process that stood still.
 */
export class Announcer {
  readonly #registry: ChannelRegistry;
  readonly #fanout: Fanout;
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #counts: SubscriptionCounts;
  #passes = 0;
  #inlinePasses = 0;
  #pending = 0;

  constructor(
    registry: ChannelRegistry,
    fanout: Fanout,
    { windowMs, clock = systemClock }: AnnouncerSettings,
  ) {
    this.#registry = registry;
    this.#fanout = fanout;
    this.#windowMs = windowMs;
    this.#clock = clock;
    this.#counts = new SubscriptionCounts(fanout, clock);
  }

  /** Announcements made to subscribers since the start, each of everything that was pending on a channel. */
  get passes(): number {
    return this.#passes;
  }

  /** Of these, the ones made at once because a channel had as much pending as it may have. */
  get inlinePasses(): number {
    return this.#inlinePasses;
  }

  /** Changes that wait to be announced. */
  get pending(): number {
    return this.#pending;
  }

  /** Channels whose next count waits for its time. */
  get waitingCounts(): number {
    return this.#counts.waiting;
  }

  /** Takes a change of the channel's membership, in version order. */
  announce(announcement: MembershipAnnouncement): void {
    const channel = this.#registry.find(announcement.appId, announcement.channel);
    if (channel === undefined) return;
    const { version, subscriptionCount: count } = announcement;
    if (count !== undefined) channel.lastCount = { count, version };
    if (channel.subscriptions.size === 0 && !channel.announcing.isHolding) {
      // Whoever joins later is shown what is then.
      this.#pending -= channel.announcing.clear();
      return;
    }
    channel.announcing.add(announcement);
    this.#pending++;
    if (channel.announcing.pending < maxPendingAnnouncements) {
      this.#schedule(channel);
      return;
    }
    this.#inlinePasses++;
    this.#tell(channel);
  }

  /** Calls `followUp` right behind the channel's next announcement: now after a quiet window, or else at its end. */
  follow(channel: Channel, followUp: () => void): void {
    channel.announcing.followUp = followUp;
    if (this.#remainingMs(channel) === 0) this.#pass(channel);
    else this.#schedule(channel);
  }

  /** Sends the counts whose time has come. Called a few times a second. */
  sendWaitingCounts(): void {
    this.#counts.sendWaiting();
  }

  /** Sees to it that a pass comes, once the window is over. */
  #schedule(channel: Channel): void {
    if (channel.announcing.cancelWait !== undefined) return;
    const remainingMs = this.#remainingMs(channel);
    if (remainingMs > 0) {
      this.#scheduleAtEnd(channel, remainingMs);
      return;
    }
    const immediate = setImmediate(() => this.#pass(channel));
    channel.announcing.cancelWait = () => clearImmediate(immediate);
  }

  #scheduleAtEnd(channel: Channel, remainingMs: number): void {
    const windowMs = this.#windowOf(channel);
    const timer = setTimeout(() => {
      // What the window's announcement costs is known only once every socket was written to.
      const longerMs = this.#windowOf(channel) - windowMs;
      if (longerMs > 0) this.#scheduleAtEnd(channel, longerMs);
      else this.#pass(channel);
    }, remainingMs).unref();
    channel.announcing.cancelWait = () => clearTimeout(timer);
  }

  #windowOf({ announcing }: Channel): number {
    return Math.max(this.#windowMs, Math.min(maxWindowMs, 2 * announcing.costMs));
  }

  /** Until the channel's window is over; 0 when it is. A clock that is set back makes no window longer. */
  #remainingMs(channel: Channel): number {
    const windowMs = this.#windowOf(channel);
    const elapsedMs = this.#clock.now() - channel.announcing.openedAtMs;
    return Math.min(windowMs, Math.max(0, windowMs - elapsedMs));
  }

  #pass(channel: Channel): void {
    const { announcing } = channel;
    announcing.cancelWait?.();
    announcing.cancelWait = undefined;
    const { followUp } = announcing;
    announcing.followUp = undefined;
    if (announcing.pending === 0 && followUp === undefined) return;
    announcing.openedAtMs = this.#clock.now();
    announcing.costMs = 0;
    this.#tell(channel);
    followUp?.();
  }

  #tell(channel: Channel): void {
    const { announcements, shown } = channel.announcing.take();
    this.#pending -= announcements.length;
    const [first] = announcements;
    if (first === undefined || channel.subscriptions.size === 0) return;
    this.#passes++;
    const startedMs = performance.now();
    for (const part of cutAt(announcements, shown)) this.#tellMembers(channel, part);
    channel.announcing.costMs += performance.now() - startedMs;
    const { lastCount } = channel;
    if (lastCount !== undefined && lastCount.version >= first.version) this.#counts.tell(channel, lastCount);
  }

  #tellMembers(channel: Channel, part: readonly MembershipAnnouncement[]): void {
    const frames = netFrames(part);
    const last = part.at(-1);
    if (frames !== undefined && last !== undefined) {
      this.#fanout.publishFrames(channel, frames, last.version);
    }
  }
}
