import { LRUCache } from 'lru-cache';
import type { CachedEvent, CachedEvents, RecalledEvent } from './cached-events.ts';

/** Room for cached events in one process; the least recently used one goes first. */
const maxCachedBytes = 64 * 1024 * 1024;
const bytesPerEntry = 200;

export class MemoryCachedEvents implements CachedEvents {
  readonly #events: LRUCache<string, CachedEvent>;

  constructor(ttlSeconds: number, perf?: { now(): number }) {
    this.#events = new LRUCache({
      ttl: ttlSeconds * 1000,
      maxSize: maxCachedBytes,
      sizeCalculation: (cached, key) =>
        bytesPerEntry + 2 * (key.length + cached.event.length + cached.data.length),
      ...(perf === undefined ? {} : { perf }),
    });
  }

  /** Events held, for the gauge. */
  get size(): number {
    return this.#events.size;
  }

  remember(appId: string, channel: string, event: CachedEvent): void {
    this.#events.set(keyOf(appId, channel), event);
  }

  recall(appId: string, channel: string): RecalledEvent | undefined {
    const key = keyOf(appId, channel);
    const cached = this.#events.get(key);
    if (cached === undefined) return undefined;
    return { ...cached, ttlSeconds: Math.max(1, Math.ceil(this.#events.getRemainingTTL(key) / 1000)) };
  }
}

function keyOf(appId: string, channel: string): string {
  return `${appId} ${channel}`;
}
