import type { Reply } from '../../../lib/redis/store-link.ts';

/** JSON with its keys in order. What Redis writes as {} may have been an empty list: both are []. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return [];
  return Object.fromEntries(entries.map(([key, item]) => [key, canonical(item)]));
}

/** A message of a script: a letter and JSON, or words. */
export function canonicalMessage(message: string): string {
  const json = message.slice(1);
  return /^[{[]/.test(json) ? message.charAt(0) + canonicalJson(json) : message;
}

/** Fields of a stream entry, name and value in turn: the field `j` is JSON. */
export function canonicalFields(fields: readonly string[]): string {
  return JSON.stringify(
    fields.map((field, at) => (at % 2 === 1 && fields[at - 1] === 'j' ? canonicalJson(field) : field)),
  );
}

/** Perhaps JSON. */
export function canonicalText(text: string): string {
  return /^[{[]/.test(text) ? canonicalJson(text) : text;
}

/** A reply, with its JSON texts. */
export function canonicalReply(reply: Reply): Reply {
  if (Array.isArray(reply)) return (reply as readonly Reply[]).map(canonicalReply);
  return typeof reply === 'string' ? canonicalText(reply) : reply;
}

function canonicalJson(json: string): string {
  return JSON.stringify(canonical(JSON.parse(json)));
}
