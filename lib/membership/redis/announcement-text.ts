import type { Member } from '../membership-store.ts';

/** One change of a channel as the script that made it says it to every node. */
export interface HeardChange {
  readonly version: number;
  readonly removed: readonly string[];
  readonly added: readonly Member[];
  readonly subscriptionCount?: number;
}

/**
 * What the scripts publish behind the `m`: `{v, r: [users], a: [[user, info]…], c}`, where an empty list may be written as
 * `{}`. Undefined when it is anything else.
 */
export function parseAnnouncement(text: string): HeardChange | undefined {
  const told = parseObject(text);
  if (told === undefined) return undefined;
  const { v: version, r, a, c: count } = told;
  const [removed, added] = [textsOf(r), membersOf(a)];
  if (typeof version !== 'number' || removed === undefined || added === undefined) return undefined;
  if (count === undefined) return { version, removed, added };
  return typeof count === 'number' ? { version, removed, added, subscriptionCount: count } : undefined;
}

/** `=` and the JSON text a user came with, or `-` for none; undefined for anything else. */
export function toMember(userId: unknown, info: unknown): Member | undefined {
  if (typeof userId !== 'string' || typeof info !== 'string') return undefined;
  if (info === '-') return { userId, userInfoJson: undefined };
  return info.startsWith('=') ? { userId, userInfoJson: info.slice(1) } : undefined;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? [] : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  const texts = listOf(value);
  return texts?.every((text): text is string => typeof text === 'string') === true ? texts : undefined;
}

function membersOf(value: unknown): readonly Member[] | undefined {
  const members: Member[] = [];
  for (const pair of listOf(value) ?? [undefined]) {
    const member = Array.isArray(pair) ? toMember(pair[0], pair[1]) : undefined;
    if (member === undefined) return undefined;
    members.push(member);
  }
  return members;
}
