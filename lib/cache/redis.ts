import type { Clock } from '../flow/clock.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import { partitionOf } from '../cluster/partition.ts';
import { type Reply, StoreAway, type StoreLink } from '../redis/store-link.ts';
import type { CachedEvent, CachedEvents, RecalledEvent } from './cached-events.ts';
import { MemoryCachedEvents } from './memory.ts';

/** Channels whose event waits for the store to be back; beyond it the oldest is not written. */
const maxUnwritten = 100_000;

export interface RedisCachedEventsTools {
  readonly link: StoreLink;
  readonly clock: Clock;
  /** An event could not be written although the store is there. */
  readonly onFailed: (error: unknown) => void;
}

/** How long after a write that was not answered it is tried again, when the store seems to be there. */
const againMs = 1_000;

interface Unwritten {
  readonly appId: string;
  readonly channel: string;
  readonly atMs: number;
}

/**
 * Cached events that all nodes share. What was remembered here answers while the store is away, and is written when it is
 * back, unless another node remembered something later.
 */
export class RedisCachedEvents implements CachedEvents {
  readonly #link: StoreLink;
  readonly #clock: Clock;
  readonly #onFailed: (error: unknown) => void;
  readonly #ttlMs: number;
  readonly #here: MemoryCachedEvents;
  readonly #unwritten = new Map<string, Unwritten>();
  #isWriting = false;
  #again: NodeJS.Timeout | undefined;
  #leftOut = 0;

  constructor(ttlSeconds: number, { link, clock, onFailed }: RedisCachedEventsTools) {
    this.#link = link;
    this.#clock = clock;
    this.#onFailed = onFailed;
    this.#ttlMs = ttlSeconds * 1000;
    this.#here = new MemoryCachedEvents(ttlSeconds, clock);
    void link.up$.forEach((isUp) => {
      if (isUp) void this.#writeAll();
    });
  }

  /** Events that wait for the store. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** Events that were not written because too much waited. */
  get leftOut(): number {
    return this.#leftOut;
  }

  remember(appId: string, channel: string, event: CachedEvent): MaybePromise<void> {
    this.#here.remember(appId, channel, event);
    const remembered = { appId, channel, atMs: this.#clock.now() };
    // Until it is written, it is what this node answers.
    this.#keep(remembered);
    return this.#link.isUp ? this.#write(remembered, false) : undefined;
  }

  recall(appId: string, channel: string): MaybePromise<RecalledEvent | undefined> {
    const isNewest = !this.#link.isUp || this.#unwritten.has(keyOf(appId, channel));
    return isNewest ? this.#here.recall(appId, channel) : this.#ask(appId, channel);
  }

  async #ask(appId: string, channel: string): Promise<RecalledEvent | undefined> {
    try {
      return eventIn(await this.#link.run('recall', this.#partition(appId, channel), [appId, channel]));
    } catch (error) {
      if (error instanceof StoreAway) return this.#here.recall(appId, channel);
      throw error;
    }
  }

  /** What was remembered here last; what is gone by now was too old, or too much. */
  async #write(remembered: Unwritten, onlyNewer: boolean): Promise<void> {
    const { appId, channel, atMs } = remembered;
    const leftMs = atMs + this.#ttlMs - this.#clock.now();
    const cached = this.#here.recall(appId, channel);
    if (cached === undefined) {
      this.#forget(remembered);
      if (leftMs > 0) this.#leftOut++;
      return;
    }
    const json = JSON.stringify({ event: cached.event, data: cached.data });
    const args = [appId, channel, json, Math.max(1, leftMs), Number(onlyNewer)];
    try {
      await this.#link.run('remember', this.#partition(appId, channel), args);
    } catch (error) {
      if (error instanceof StoreAway) {
        this.#writeLater();
        return;
      }
      this.#forget(remembered);
      throw error;
    }
    this.#forget(remembered);
  }

  #writeLater(): void {
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      void this.#writeAll();
    }, againMs).unref();
  }

  /** One by one: many nodes may do so at this moment. */
  async #writeAll(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    for (const remembered of [...this.#unwritten.values()]) {
      if (!this.#link.isUp) break;
      try {
        await this.#write(remembered, true);
      } catch (error) {
        this.#onFailed(error);
      }
    }
    this.#isWriting = false;
  }

  #keep(remembered: Unwritten): void {
    const key = keyOf(remembered.appId, remembered.channel);
    this.#unwritten.delete(key);
    this.#unwritten.set(key, remembered);
    const [oldest] = this.#unwritten.keys();
    if (this.#unwritten.size <= maxUnwritten || oldest === undefined) return;
    this.#unwritten.delete(oldest);
    this.#leftOut++;
  }

  /** Unless a later one waits by now. */
  #forget(remembered: Unwritten): void {
    const key = keyOf(remembered.appId, remembered.channel);
    if (this.#unwritten.get(key) === remembered) this.#unwritten.delete(key);
  }

  #partition(appId: string, channel: string): number {
    return partitionOf(appId, channel, this.#link.partitions);
  }
}

function eventIn(reply: Reply): RecalledEvent | undefined {
  const [word, json, ttlMs] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  if (word === 'NONE') return undefined;
  if (word !== 'OK' || typeof json !== 'string')
    throw new Error(`the store answered ${String(word)} to "recall"`);
  const { event, data } = JSON.parse(json) as CachedEvent;
  return { event, data, ttlSeconds: Math.max(1, Math.ceil(Number(ttlMs) / 1000)) };
}

function keyOf(appId: string, channel: string): string {
  return `${appId} ${channel}`;
}
