import type { BusMessage } from '../../lib/bus/bus.ts';
import { createMemoryStores, type CreateStores, type Stores } from '../../lib/stores.ts';

/** Numbers from a seed, the same each time (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * The memory stores as a network would show them: calls take effect in the order they were made, but after random delays
 * and in bursts, and their answers and announcements come later still, announcements in their own order.
 */
export function createLateStores(seed: number, maxDelayMs = 8): CreateStores {
  return (config, deliverHere, tools) => {
    const random = seededRandom(seed);
    const announcements = new Burst(random, maxDelayMs);
    const deliver = (message: BusMessage): void => {
      if (message.kind === 'membership' || message.kind === 'user')
        announcements.add(() => deliverHere(message));
      else deliverHere(message);
    };
    const stores = createMemoryStores(config, deliver, tools);
    return {
      ...stores,
      membership: late(stores.membership, random, maxDelayMs),
      cachedEvents: late(stores.cachedEvents, random, maxDelayMs),
      users: late(stores.users, random, maxDelayMs),
      quota: late(stores.quota, random, maxDelayMs),
      outbox: late(stores.outbox, random, maxDelayMs, ['begin']),
    } satisfies Stores;
  };
}

/** Every method but the named ones answers a promise: the call waits for its burst, the answer for another delay. */
function late<T extends object>(
  store: T,
  random: () => number,
  maxDelayMs: number,
  atOnce: readonly PropertyKey[] = [],
): T {
  const calls = new Burst(random, maxDelayMs);
  return new Proxy(store, {
    get(target, property) {
      const method: unknown = Reflect.get(target, property, target);
      if (typeof method !== 'function') return method;
      if (atOnce.includes(property)) return method.bind(target) as unknown;
      return (...args: unknown[]) =>
        new Promise((resolve) => {
          calls.add(() => {
            const result: unknown = Reflect.apply(method, target, args);
            setTimeout(() => resolve(result), random() * maxDelayMs);
          });
        });
    },
  });
}

/** Runs what it is given in order, several at once, after a random delay. */
class Burst {
  readonly #random: () => number;
  readonly #maxDelayMs: number;
  #waiting: (() => void)[] = [];

  constructor(random: () => number, maxDelayMs: number) {
    this.#random = random;
    this.#maxDelayMs = maxDelayMs;
  }

  add(work: () => void): void {
    this.#waiting.push(work);
    if (this.#waiting.length > 1) return;
    setTimeout(() => {
      const burst = this.#waiting;
      this.#waiting = [];
      for (const next of burst) next();
    }, this.#random() * this.#maxDelayMs);
  }
}
