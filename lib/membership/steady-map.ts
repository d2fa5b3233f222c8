/** At least so many deleted entries are kept whatever the size. */
const leastSlack = 32;
/** Maps that fill and empty together differ in how many they keep, so that they are not rebuilt together. */
const slacks = 32;
let made = 0;

/**
 * A map that is seldom rebuilt while it empties. V8 rebuilds a `Map` each time it is down to a quarter of its room; in a
 * storm of departures the maps of all channels come there at once, and the batch that meets it takes several times as long.
 * Here a deleted key stays without its value, until such keys are three times as many as the others, or none of those is
 * left; where keys come and go, until they are as many.
 */
export class SteadyMap<K, V extends object> {
  readonly #slack = leastSlack + (made++ % slacks);
  #entries = new Map<K, V | undefined>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Entries in memory, deleted ones among them. */
  get kept(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    if (!this.has(key)) this.#size++;
    this.#entries.set(key, value);
    this.#keepAtMost(2 * this.#size + this.#slack);
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#size--;
    if (this.#size === 0) this.#entries = new Map<K, V | undefined>();
    else this.#entries.set(key, undefined);
    this.#keepAtMost(4 * this.#size + this.#slack);
    return true;
  }

  *keys(): Iterable<K> {
    for (const [key, value] of this.#entries) if (value !== undefined) yield key;
  }

  *values(): Iterable<V> {
    for (const value of this.#entries.values()) if (value !== undefined) yield value;
  }

  #keepAtMost(most: number): void {
    if (this.#entries.size <= most) return;
    const entries = new Map<K, V | undefined>();
    for (const [key, value] of this.#entries) if (value !== undefined) entries.set(key, value);
    this.#entries = entries;
  }
}
