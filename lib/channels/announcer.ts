import { type Clock, systemClock } from '../flow/clock.ts';
import type { MembershipAnnouncement } from '../membership/membership-store.ts';
import { memberAdded, memberRemoved, subscriptionCount } from '../protocol/server-messages.ts';
import type { Channel } from './channel.ts';
import type { ChannelRegistry } from './channel-registry.ts';
import type { Fanout } from './fanout.ts';
import type { Subscription } from './subscription.ts';

/** Above this many subscriptions a channel's count is sent at most once per `countIntervalMs` (protocol.md 3.5). */
const countEveryChangeUpTo = 100;
const countIntervalMs = 5_000;
/** Joiners that wait hold this much; beyond it they are shown what came last. */
const maxHeldAnnouncements = 10_000;

/** Tells a channel's subscribers on this node who came, who went and how many are there. */
export class Announcer {
  readonly #registry: ChannelRegistry;
  readonly #fanout: Fanout;
  readonly #clock: Clock;
  readonly #waitingCounts = new Set<Channel>();

  constructor(registry: ChannelRegistry, fanout: Fanout, clock: Clock = systemClock) {
    this.#registry = registry;
    this.#fanout = fanout;
    this.#clock = clock;
  }

  /** Channels whose next count waits for its time. */
  get waitingCounts(): number {
    return this.#waitingCounts.size;
  }

  announce(announcement: MembershipAnnouncement): void {
    const channel = this.#registry.find(announcement.appId, announcement.channel);
    if (channel === undefined) return;
    for (const joining of channel.joining) {
      if (joining.heldAnnouncements.length >= maxHeldAnnouncements) joining.heldAnnouncements.shift();
      joining.heldAnnouncements.push(announcement);
    }
    if (channel.subscriptions.size === 0) return;
    for (const text of memberFrames(announcement)) {
      this.#fanout.publish(channel, text, undefined, announcement.version);
    }
    if (announcement.subscriptionCount !== undefined)
      this.#announceCount(channel, announcement.subscriptionCount);
  }

  /** Shows a new subscriber what happened after the snapshot it was given and before it was subscribed. */
  catchUp(subscription: Subscription, held: readonly MembershipAnnouncement[]): void {
    for (const announcement of held) {
      if (announcement.version <= subscription.snapshotVersion) continue;
      for (const text of memberFrames(announcement)) this.#fanout.reply(subscription.connection, text);
    }
    const count = held.findLast(
      (announcement) => announcement.subscriptionCount !== undefined,
    )?.subscriptionCount;
    if (count === undefined) return;
    this.#fanout.reply(subscription.connection, subscriptionCount(subscription.channel.name.name, count));
  }

  /** Sends the counts whose time has come. Called a few times a second. */
  sendWaitingCounts(): void {
    const nowMs = this.#clock.now();
    for (const channel of this.#waitingCounts) {
      if (nowMs - channel.countSentAtMs < countIntervalMs && channel.subscriptions.size > 0) continue;
      this.#waitingCounts.delete(channel);
      if (channel.waitingCount !== undefined) this.#sendCount(channel, channel.waitingCount);
    }
  }

  #announceCount(channel: Channel, count: number): void {
    if (count <= countEveryChangeUpTo || this.#clock.now() - channel.countSentAtMs >= countIntervalMs) {
      this.#sendCount(channel, count);
      return;
    }
    channel.waitingCount = count;
    this.#waitingCounts.add(channel);
  }

  #sendCount(channel: Channel, count: number): void {
    channel.countSentAtMs = this.#clock.now();
    channel.waitingCount = undefined;
    this.#waitingCounts.delete(channel);
    this.#fanout.publish(channel, subscriptionCount(channel.name.name, count));
  }
}

function memberFrames({ channel, removed, added }: MembershipAnnouncement): readonly string[] {
  return [
    ...removed.map((userId) => memberRemoved(channel, userId)),
    ...added.map(({ userId, userInfoJson }) => memberAdded(channel, userId, userInfoJson)),
  ];
}
