import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '../../config/loopback.ts';

/** What a request shows of itself. */
export interface Caller {
  readonly remoteAddress: string | undefined;
  readonly authorization: string | undefined;
  /** The `Host` header. */
  readonly host: string | undefined;
}

/** Why a caller may not see the admin pages, or undefined when it may. */
export type AccessProblem = 'admin.token' | 'admin.loopback-only';

/**
 * With a token: whoever sends it as `Authorization: Bearer`. Without one: only callers on this machine that ask for it by a
 * loopback address; a page in a browser here that had its name resolved to this machine is none of them.
 */
export function accessProblem(token: string | undefined, caller: Caller): AccessProblem | undefined {
  if (token === undefined)
    return isFromHere(caller.remoteAddress) && isLoopback(hostnameOf(caller.host))
      ? undefined
      : 'admin.loopback-only';
  return isSame(bearerOf(caller.authorization), token) ? undefined : 'admin.token';
}

function isFromHere(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address ?? '');
}

/** Without the port. */
function hostnameOf(host = ''): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

function bearerOf(authorization = ''): string {
  return /^Bearer +(.+)$/i.exec(authorization)?.[1]?.trim() ?? '';
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
