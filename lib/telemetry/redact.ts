import { serialiseError } from './serialise-error.ts';

/** What stands in the log in place of a secret. */
export const censored = '[Redacted]';

const secretKey = /(secret|token|password|signature|authorization|cookie)$|^auth$|^(channel|user)_?data$/i;
const maxDepth = 6;
const maxItems = 100;
const maxTextLength = 1024;

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
  return redactFields(value, depth + 1);
}

/** The same for the fields of an event. `clean`: what the copy already holds. */
export function redactFields(
  fields: object,
  depth = 0,
  clean: Record<string, unknown> = {},
): Record<string, unknown> {
  for (const [key, value] of Object.entries(fields)) {
    clean[key] = value !== undefined && secretKey.test(key) ? censored : redact(value, depth);
  }
  return clean;
}

function shorten(text: string): string {
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
}
