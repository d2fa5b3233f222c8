import { serialiseError } from './serialise-error.ts';

/** What stands in the log in place of a secret. */
export const censored = '[Redacted]';

const secretKey = /(secret|token|password|signature|authorization|cookie)$|^auth$|^(channel|user)_?data$/i;
const maxDepth = 6;
const maxItems = 100;
const maxTextLength = 1024;
/** What is known of keys is kept for so many; the catalogue of events has fewer. */
const maxKnownKeys = 1_000;

/**
 * A copy of a value as it may be written to a log: secrets are censored by key at any depth, errors become plain
 * objects, and long texts, long lists and deep nesting are cut, for some of it was sent by clients.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return shorten(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return serialiseError(value);
  if (depth >= maxDepth) return '[Deep]';
  if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => redact(item, depth + 1));
  return copyOf(value, depth + 1);
}

/** The same for the fields of an event. They are not copied when nothing in them has to change, as in most events. */
export function redactFields(fields: object): object {
  const values = fields as Readonly<Record<string, unknown>>;
  for (const key in values) if (!isWrittenAsIs(key, values[key])) return copyOf(values, 0);
  return fields;
}

function isWrittenAsIs(key: string, value: unknown): boolean {
  if (value === undefined) return true;
  const isPlain = typeof value === 'string' ? value.length <= maxTextLength : isNumberOrBoolean(value);
  return isPlain && !isSecretField(key);
}

function isNumberOrBoolean(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

function copyOf(values: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    clean[key] = value !== undefined && secretKey.test(key) ? censored : redact(value, depth);
  }
  return clean;
}

const known = new Map<string, boolean>();

/** For fields of events alone: keys further down may come from clients, and be long. */
function isSecretField(key: string): boolean {
  const asked = known.get(key);
  if (asked !== undefined) return asked;
  const isOne = secretKey.test(key);
  if (known.size < maxKnownKeys) known.set(key, isOne);
  return isOne;
}

function shorten(text: string): string {
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
}
