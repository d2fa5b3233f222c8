import type { Clock } from '../../flow/clock.ts';
import type { MaybePromise } from '../../flow/maybe-promise.ts';
import { partitionOf } from '../../cluster/partition.ts';
import type { StoreLink, Topic } from '../../redis/store-link.ts';
import { channelTopic } from './message-text.ts';

/** A channel that nobody here is subscribed to any more is listened to for so long: many come back. */
const lingerMs = 5_000;
const maxLingering = 10_000;
/** Channels whose time is over within this are let go together. */
const sweepMs = 250;

export interface InterestsTools {
  readonly link: StoreLink;
  readonly clock: Clock;
  /** What is said of the channel is heard from here on. */
  readonly onListening: (appId: string, channel: string) => void;
  readonly onFailed: (error: unknown) => void;
}

interface Interest {
  readonly appId: string;
  readonly channel: string;
  readonly topic: Topic;
  isWanted: boolean;
  state: 'new' | 'asked' | 'listening';
  lingersUntilMs: number;
  waiters: (() => void)[];
}

/**
 * Which channels this node listens to: those with a subscriber here, gathered to the end of the tick, and for five seconds
 * those that lost their last one; of these at most ten thousand, the oldest is let go first.
 */
export class Interests {
  readonly #tools: InterestsTools;
  readonly #interests = new Map<string, Interest>();
  readonly #fresh = new Set<Interest>();
  readonly #lingering = new Set<Interest>();
  readonly #waiting = new Set<Interest>();
  #isScheduled = false;
  #isAsking = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(tools: InterestsTools) {
    this.#tools = tools;
    void tools.link.up$.forEach((isUp) => {
      if (isUp) this.#schedule();
      else for (const interest of [...this.#waiting]) this.#release(interest);
    });
  }

  /** Channels that are listened to, or will be. */
  get size(): number {
    return this.#interests.size;
  }

  /** Of these, the ones without a subscriber. */
  get lingering(): number {
    return this.#lingering.size;
  }

  /** Channels that are not listened to yet. */
  get fresh(): number {
    return this.#fresh.size;
  }

  isWanted(appId: string, channel: string): boolean {
    return this.#interests.get(keyOf(appId, channel))?.isWanted === true;
  }

  add(appId: string, channel: string): void {
    const known = this.#interests.get(keyOf(appId, channel));
    if (known === undefined) {
      this.#begin(appId, channel);
      return;
    }
    if (known.isWanted) return;
    known.isWanted = true;
    this.#lingering.delete(known);
    if (known.state === 'listening') this.#tools.onListening(appId, channel);
  }

  remove(appId: string, channel: string): void {
    const interest = this.#interests.get(keyOf(appId, channel));
    if (interest?.isWanted !== true) return;
    interest.isWanted = false;
    this.#release(interest);
    if (interest.state === 'new') {
      this.#fresh.delete(interest);
      this.#interests.delete(keyOf(appId, channel));
      return;
    }
    interest.lingersUntilMs = this.#tools.clock.now() + lingerMs;
    this.#lingering.add(interest);
    const [oldest] = this.#lingering;
    if (oldest !== undefined && this.#lingering.size > maxLingering) this.#letGo([oldest]);
    this.#arm();
  }

  /** Fulfilled when the channel is heard. At once while the store is away, or nobody here wants it. */
  listening(appId: string, channel: string): MaybePromise<void> {
    const interest = this.#interests.get(keyOf(appId, channel));
    if (interest?.isWanted !== true || interest.state === 'listening' || !this.#tools.link.isUp)
      return undefined;
    this.#waiting.add(interest);
    return new Promise((resolve) => {
      interest.waiters.push(resolve);
    });
  }

  close(): void {
    clearTimeout(this.#sweep);
  }

  #begin(appId: string, channel: string): void {
    const topic = channelTopic(appId, channel, partitionOf(appId, channel, this.#tools.link.partitions));
    const state = { isWanted: true, state: 'new', lingersUntilMs: 0 } as const;
    const interest: Interest = { appId, channel, topic, ...state, waiters: [] };
    this.#interests.set(keyOf(appId, channel), interest);
    this.#fresh.add(interest);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isAsking || this.#fresh.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const asked = [...this.#fresh];
    if (asked.length === 0) return;
    this.#fresh.clear();
    this.#isAsking = true;
    for (const interest of asked) interest.state = 'asked';
    const error = await this.#listen(asked);
    this.#isAsking = false;
    if (error === undefined) {
      for (const interest of asked) this.#confirm(interest);
      this.#schedule();
    } else {
      this.#tools.onFailed(error);
      for (const interest of asked) this.#putBack(interest);
    }
  }

  async #listen(asked: readonly Interest[]): Promise<unknown> {
    try {
      await this.#tools.link.listen(asked.map(({ topic }) => topic));
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #confirm(interest: Interest): void {
    interest.state = 'listening';
    if (interest.isWanted) this.#tools.onListening(interest.appId, interest.channel);
    this.#release(interest);
  }

  /** It is asked for again with the next one, or when the store is back. */
  #putBack(interest: Interest): void {
    this.#release(interest);
    if (this.#interests.get(keyOf(interest.appId, interest.channel)) !== interest) return;
    interest.state = 'new';
    if (interest.isWanted) {
      this.#fresh.add(interest);
      return;
    }
    this.#lingering.delete(interest);
    this.#interests.delete(keyOf(interest.appId, interest.channel));
  }

  #release(interest: Interest): void {
    this.#waiting.delete(interest);
    const { waiters } = interest;
    interest.waiters = [];
    for (const resolve of waiters) resolve();
  }

  #arm(): void {
    const [oldest] = this.#lingering;
    if (oldest === undefined || this.#sweep !== undefined) return;
    const remainingMs = oldest.lingersUntilMs - this.#tools.clock.now();
    this.#sweep = setTimeout(
      () => {
        this.#sweep = undefined;
        this.#letGo(this.#overdue());
        this.#arm();
      },
      Math.min(lingerMs, Math.max(sweepMs, remainingMs)),
    ).unref();
  }

  #overdue(): readonly Interest[] {
    const nowMs = this.#tools.clock.now();
    const overdue: Interest[] = [];
    for (const interest of this.#lingering) {
      if (interest.lingersUntilMs > nowMs) break;
      overdue.push(interest);
    }
    return overdue;
  }

  #letGo(interests: readonly Interest[]): void {
    if (interests.length === 0) return;
    for (const interest of interests) {
      this.#lingering.delete(interest);
      this.#interests.delete(keyOf(interest.appId, interest.channel));
    }
    this.#tools.link.unlisten(interests.map(({ topic }) => topic));
  }
}

function keyOf(appId: string, channel: string): string {
  return `${appId} ${channel}`;
}
