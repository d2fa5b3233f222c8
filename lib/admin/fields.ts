import { SpillwayError } from '../errors/spillway-error.ts';

/** What a request gives, by name: the query's texts, or the values of a JSON body. Whatever is not as said is refused. */
export class Fields {
  readonly #given: ReadonlyMap<string, unknown>;

  /** Refuses names that are not `known`. */
  constructor(given: Readonly<Record<string, unknown>>, known: readonly string[]) {
    this.#given = new Map(Object.entries(given));
    for (const name of this.#given.keys()) {
      if (known.includes(name)) continue;
      throw new SpillwayError('admin.unknown-parameter', { parameter: name, known: known.join(', ') });
    }
  }

  text(name: string): string | undefined {
    const value = this.#given.get(name);
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw invalid(name, 'a text, given once');
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw missing(name);
    return value;
  }

  /** An ISO 8601 time with its offset, a date (UTC) or milliseconds since 1970. */
  momentMs(name: string): number | undefined {
    const value = this.#given.get(name);
    if (value === undefined) return undefined;
    const ms = typeof value === 'number' ? value : typeof value === 'string' ? momentOf(value) : Number.NaN;
    if (Number.isSafeInteger(ms)) return ms;
    throw invalid(name, 'a time such as 2026-11-21T10:00:00Z, or milliseconds since 1970');
  }

  /** A whole number from 1 to `max`; `fallback` when it is not given. */
  count(name: string, max: number, fallback: number): number {
    const value = this.#given.get(name) ?? fallback;
    const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
    if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= max) return count;
    throw invalid(name, `a number from 1 to ${max}`);
  }

  /** False when it is not given. */
  flag(name: string): boolean {
    const value = this.#given.get(name) ?? false;
    if (typeof value === 'boolean') return value;
    throw invalid(name, 'true or false');
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.text(name);
    const chosen = choices.find((choice) => choice === value);
    if (chosen !== undefined || value === undefined) return chosen;
    throw invalid(name, `one of ${choices.join(', ')}`);
  }
}

/** The object in a JSON body. */
export function jsonObjectOf(body: unknown): Readonly<Record<string, unknown>> {
  const value = Buffer.isBuffer(body) ? parsed(body.toString()) : undefined;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new SpillwayError('http.malformed-json');
}

export function missing(parameter: string): SpillwayError {
  return new SpillwayError('http.missing-parameter', { parameter });
}

export function invalid(parameter: string, expected: string): SpillwayError {
  return new SpillwayError('http.invalid-parameter', { parameter, expected });
}

const isoTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

function momentOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return isoTime.test(text) ? Date.parse(text) : Number.NaN;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
