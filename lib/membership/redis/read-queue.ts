/** Reads items in the order they came, each once while it waits, and no more than so many at a time. */
export class ReadQueue<T> {
  readonly #waiting = new Set<T>();
  readonly #maxReads: number;
  readonly #read: (item: T) => Promise<void>;
  #underWay = 0;

  /** @param read Never rejects. */
  constructor(maxReads: number, read: (item: T) => Promise<void>) {
    this.#maxReads = maxReads;
    this.#read = read;
  }

  /** Items that are being read, or wait for it. */
  get size(): number {
    return this.#waiting.size + this.#underWay;
  }

  add(item: T): void {
    this.#waiting.add(item);
    this.#next();
  }

  /** It does not have to be read any more. */
  delete(item: T): void {
    this.#waiting.delete(item);
  }

  #next(): void {
    for (const item of this.#waiting) {
      if (this.#underWay >= this.#maxReads) return;
      this.#waiting.delete(item);
      void this.#begin(item);
    }
  }

  async #begin(item: T): Promise<void> {
    this.#underWay++;
    await this.#read(item);
    this.#underWay--;
    this.#next();
  }
}
