/** Text that is not JSON: what was expected, and where. The text itself is never quoted, it may hold secrets. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
  readonly line: number;
  readonly column: number;

  constructor(problem: string, text: string, offset: number) {
    const before = text.slice(0, offset).split('\n');
    super(problem);
    this.line = before.length;
    this.column = (before.at(-1)?.length ?? 0) + 1;
  }
}

const maxDepth = 64;
const literals = { true: true, false: false, null: null } as const;
const blank = /(?:[ \t\r\n\uFEFF]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const stringToken = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const wordToken = /[a-z]+/y;

/**
 * Reads JSON that may have comments and a comma after the last entry of a list or object.
 * Throws a JsonSyntaxError with line and column; a name given twice in one object is an error too.
 */
export function parseJsonc(text: string): unknown {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): unknown {
    if (depth > maxDepth) throw this.#error(`nested deeper than ${maxDepth} levels`);
    this.#skipBlank();
    switch (this.#text[this.#offset]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#list(depth);
      case '"':
        return this.#string();
      case undefined:
      default:
        return this.#scalar();
    }
  }

  end(): void {
    this.#skipBlank();
    if (this.#offset < this.#text.length) throw this.#error('expected the end of the text');
  }

  #object(depth: number): unknown {
    const entries = new Map<string, unknown>();
    this.#entries('}', () => {
      const start = this.#offset;
      if (this.#text[start] !== '"') throw this.#error('expected a name in double quotes');
      const name = this.#string();
      if (entries.has(name)) throw this.#error('this name is given twice', start);
      if (!this.#take(':')) throw this.#error('expected ":"');
      entries.set(name, this.value(depth + 1));
    });
    return Object.fromEntries(entries);
  }

  #list(depth: number): unknown[] {
    const values: unknown[] = [];
    this.#entries(']', () => values.push(this.value(depth + 1)));
    return values;
  }

  #entries(close: '}' | ']', readOne: () => void): void {
    this.#offset += 1;
    while (!this.#take(close)) {
      readOne();
      if (!this.#take(',')) {
        if (!this.#take(close)) throw this.#error(`expected "," or "${close}"`);
        return;
      }
    }
  }

  #string(): string {
    const token = this.#match(stringToken);
    if (token === undefined)
      throw this.#error('this string is not closed, or has a character that needs escaping');
    return JSON.parse(token) as string;
  }

  #scalar(): unknown {
    const start = this.#offset;
    const number = this.#match(numberToken);
    if (number !== undefined) return Number(number);
    const word = this.#match(wordToken) ?? '';
    if (Object.hasOwn(literals, word)) return literals[word as keyof typeof literals];
    throw this.#error(start >= this.#text.length ? 'unexpected end' : 'expected a value', start);
  }

  #take(mark: string): boolean {
    this.#skipBlank();
    if (this.#text[this.#offset] !== mark) return false;
    this.#offset += 1;
    this.#skipBlank();
    return true;
  }

  #skipBlank(): void {
    this.#match(blank);
  }

  #match(token: RegExp): string | undefined {
    token.lastIndex = this.#offset;
    const found = token.exec(this.#text)?.[0];
    this.#offset += found?.length ?? 0;
    return found;
  }

  #error(problem: string, offset = this.#offset): JsonSyntaxError {
    return new JsonSyntaxError(problem, this.#text, offset);
  }
}
