import type { Reply } from '../../redis/store-link.ts';

/** What a script of this folder never answers: the store and this process are of different versions. */
function unexpected(reply: Reply | undefined): TypeError {
  return new TypeError(`the store answered ${JSON.stringify(reply)}`);
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (typeof reply === 'object' && reply !== null) return reply;
  throw unexpected(reply);
}

export function textOf(reply: Reply | undefined): string {
  if (typeof reply === 'string') return reply;
  throw unexpected(reply);
}

export function textsOf(reply: Reply | undefined): readonly string[] {
  return listOf(reply).map(textOf);
}

export function numberOf(reply: Reply | undefined): number {
  const number = typeof reply === 'string' ? Number(reply) : reply;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw unexpected(reply);
}

/** In pairs. */
export function pairsOf<T>(items: readonly T[]): readonly (readonly [T, T])[] {
  const pairs: (readonly [T, T])[] = [];
  for (let at = 0; at + 1 < items.length; at += 2) pairs.push(items.slice(at, at + 2) as [T, T]);
  return pairs;
}
