import { Ring } from './ring.ts';

/**
 * A queue in which items of one key leave strictly one after the other, and other keys overtake a busy one.
 * `done(key)` says that the item of that key which left is finished.
 */
export class KeyedQueue<T> {
  readonly #ready = new Ring<{ readonly key: unknown; readonly item: T }>();
  readonly #behind = new Map<unknown, Ring<T>>();
  #size = 0;

  /** Items that have not left yet. */
  get size(): number {
    return this.#size;
  }

  push(key: unknown, item: T): void {
    this.#size++;
    const behind = this.#behind.get(key);
    if (behind !== undefined) {
      behind.push(item);
      return;
    }
    this.#behind.set(key, new Ring());
    this.#ready.push({ key, item });
  }

  /** The next item whose key is free; its key is busy until `done`. */
  shift(): { readonly key: unknown; readonly item: T } | undefined {
    const next = this.#ready.shift();
    if (next !== undefined) this.#size--;
    return next;
  }

  done(key: unknown): void {
    const behind = this.#behind.get(key);
    const item = behind?.shift();
    if (item === undefined) this.#behind.delete(key);
    else this.#ready.push({ key, item });
  }
}
