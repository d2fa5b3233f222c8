/** The arguments of a script, read from the left as Redis would have them: as text. */
export class Arguments {
  readonly #items: readonly string[];
  #at = 0;

  constructor(items: readonly (string | number | Buffer)[]) {
    this.#items = items.map(String);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#items.length;
  }

  text(): string {
    const item = this.#items[this.#at];
    if (item === undefined) throw new Error(`a script got ${this.#items.length} arguments and wants more`);
    this.#at += 1;
    return item;
  }

  whole(): number {
    const text = this.text();
    if (!/^\d+$/.test(text)) throw new Error(`a whole number was expected, not ${JSON.stringify(text)}`);
    return Number(text);
  }

  flag(): boolean {
    return this.text() === '1';
  }

  /** As many as `read` is asked for. */
  list<T>(length: number, read: () => T): T[] {
    return Array.from({ length }, read);
  }

  rest(): string[] {
    const rest = this.#items.slice(this.#at);
    this.#at = this.#items.length;
    return rest;
  }
}
