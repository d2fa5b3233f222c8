import { Ring } from './ring.ts';

interface KeyedItem<T> {
  readonly key: unknown;
  readonly item: T;
}

/**
 * A queue in which items of one key leave strictly one after the other, and other keys overtake a busy one.
 * `done(key)` says that the item of that key which left is finished.
 */
export class KeyedQueue<T> {
  readonly #ready = new Ring<KeyedItem<T>>();
  readonly #behind = new Map<unknown, Ring<KeyedItem<T>>>();
  #size = 0;

  /** Items that have not left yet. */
  get size(): number {
    return this.#size;
  }

  /** Items whose key is free. */
  get ready(): number {
    return this.#ready.size;
  }

  /** Whether an item of this key is here or at work, so that the next one stands behind it. */
  has(key: unknown): boolean {
    return this.#behind.has(key);
  }

  push(key: unknown, item: T): void {
    this.#size++;
    const behind = this.#behind.get(key);
    if (behind !== undefined) {
      behind.push({ key, item });
      return;
    }
    this.#behind.set(key, new Ring());
    this.#ready.push({ key, item });
  }

  /** The next item whose key is free; its key is busy until `done`. */
  shift(): KeyedItem<T> | undefined {
    const next = this.#ready.shift();
    if (next !== undefined) this.#size--;
    return next;
  }

  done(key: unknown): void {
    const next = this.#behind.get(key)?.shift();
    if (next === undefined) this.#behind.delete(key);
    else this.#ready.push(next);
  }
}
