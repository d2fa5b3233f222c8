import { catalogue, type ErrorCode, type ErrorEntry } from './catalogue.ts';

export type ErrorDetails = Readonly<Record<string, string | number>>;

/** Longest detail that is put into a message: what a client sent is quoted, never repeated in full. `problems` is our own. */
const maxDetailLength = 200;

/** An error of the catalogue. `code` names its row; `message` is that row's text with the details filled in. */
export class SpillwayError extends Error {
  override readonly name = 'SpillwayError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(fill(catalogue[code].message, details), options);
    this.code = code;
    this.details = details;
  }

  get entry(): ErrorEntry {
    return catalogue[this.code];
  }
}

/** Wraps whatever was thrown: an error of the catalogue stays itself, anything else becomes `code` with its cause. */
export function toSpillwayError(
  thrown: unknown,
  code: ErrorCode = 'internal',
  details: ErrorDetails = {},
): SpillwayError {
  return thrown instanceof SpillwayError ? thrown : new SpillwayError(code, details, { cause: thrown });
}

function fill(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = details[name];
    if (value === undefined) return placeholder;
    return name === 'problems' ? String(value) : String(value).slice(0, maxDetailLength);
  });
}
