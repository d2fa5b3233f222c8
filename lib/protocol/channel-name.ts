import { maxChannelNameLength, maxSignedInUserIdLength } from './limits.ts';

/** What a channel asks of its subscribers (protocol.md 3.1). */
export type ChannelKind = 'public' | 'private' | 'encrypted' | 'presence' | 'user';

/** A valid channel name and what its prefix says (protocol.md 3.1). */
export interface ChannelName {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly isCache: boolean;
  /** True for private, encrypted and presence channels: a subscribe must carry a signature. */
  readonly needsAuth: boolean;
  /** The signed-in user the channel belongs to; only of kind `user`. */
  readonly userId?: string;
}

const charset = /^[A-Za-z0-9_\-=@,.;]+$/;
const userPrefix = '#server-to-user-';

/** Longest prefix first: the first that matches decides. */
const prefixes: readonly (readonly [prefix: string, kind: ChannelKind, isCache: boolean])[] = [
  ['private-encrypted-cache-', 'encrypted', true],
  ['private-encrypted-', 'encrypted', false],
  ['private-cache-', 'private', true],
  ['private-', 'private', false],
  ['presence-cache-', 'presence', true],
  ['presence-', 'presence', false],
  ['cache-', 'public', true],
];

/**
 * Parses a channel name; undefined when the name is not valid. `maxLength` does not bound the name of a user's channel:
 * every id that can sign in has one (protocol.md 3.1 and 3.6).
 */
export function parseChannelName(name: string, maxLength = maxChannelNameLength): ChannelName | undefined {
  if (name.startsWith(userPrefix)) return parseUserChannel(name);
  if (name.length > maxLength || !charset.test(name)) return undefined;
  for (const [prefix, kind, isCache] of prefixes) {
    if (name.startsWith(prefix)) return { name, kind, isCache, needsAuth: kind !== 'public' };
  }
  return { name, kind: 'public', isCache: false, needsAuth: false };
}

/** Tells whether a text can be the id of a signed-in user, and so the end of a channel name (protocol.md 3.6). */
export function isSignedInUserId(text: string): boolean {
  return text.length <= maxSignedInUserIdLength && charset.test(text);
}

function parseUserChannel(name: string): ChannelName | undefined {
  const userId = name.slice(userPrefix.length);
  return isSignedInUserId(userId)
    ? { name, kind: 'user', isCache: false, needsAuth: false, userId }
    : undefined;
}
