import type { Clock } from '../flow/clock.ts';
import { subscriptionCount } from '../protocol/server-messages.ts';
import type { Channel, SubscriptionCount } from './channel.ts';
import type { Fanout } from './fanout.ts';

/** Above this many subscriptions a channel's count is sent at most once per `countIntervalMs` (protocol.md 3.5). */
const countEveryChangeUpTo = 100;
const countIntervalMs = 5_000;

/** Tells a channel's subscribers how many they are. */
export class SubscriptionCounts {
  readonly #fanout: Fanout;
  readonly #clock: Clock;
  readonly #waiting = new Set<Channel>();

  constructor(fanout: Fanout, clock: Clock) {
    this.#fanout = fanout;
    this.#clock = clock;
  }

  /** Channels whose next count waits for its time. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Sends the count now, or when its time comes unless a later one takes its place. */
  tell(channel: Channel, last: SubscriptionCount): void {
    if (last.count <= countEveryChangeUpTo || this.#clock.now() - channel.countSentAtMs >= countIntervalMs) {
      this.#send(channel, last);
      return;
    }
    channel.waitingCount = last;
    this.#waiting.add(channel);
  }

  /** Sends the counts whose time has come. */
  sendWaiting(): void {
    const nowMs = this.#clock.now();
    for (const channel of this.#waiting) {
      if (nowMs - channel.countSentAtMs < countIntervalMs && channel.subscriptions.size > 0) continue;
      this.#waiting.delete(channel);
      if (channel.waitingCount !== undefined) this.#send(channel, channel.waitingCount);
    }
  }

  #send(channel: Channel, { count, version }: SubscriptionCount): void {
    channel.countSentAtMs = this.#clock.now();
    channel.waitingCount = undefined;
    this.#waiting.delete(channel);
    this.#fanout.publish(channel, subscriptionCount(channel.name.name, count), undefined, version);
  }
}
