import { createHash, timingSafeEqual } from 'node:crypto';

/** What a request shows of itself. */
export interface Caller {
  readonly remoteAddress: string | undefined;
  readonly authorization: string | undefined;
}

/** Why a request may not see the admin pages, or undefined when it may. */
export interface AccessProblem {
  readonly status: 401 | 403;
  readonly code: 'admin.token' | 'admin.loopback-only';
  readonly message: string;
}

/** With a token: whoever sends it as `Authorization: Bearer`. Without one: only callers on this machine. */
export function accessProblem(token: string | undefined, caller: Caller): AccessProblem | undefined {
  if (token === undefined) return isLoopback(caller.remoteAddress) ? undefined : loopbackOnly;
  return isSame(bearerOf(caller.authorization), token) ? undefined : tokenNeeded;
}

const tokenNeeded: AccessProblem = {
  status: 401,
  code: 'admin.token',
  message: 'Send the header Authorization: Bearer with the value of admin.token',
};

const loopbackOnly: AccessProblem = {
  status: 403,
  code: 'admin.loopback-only',
  message: 'Only callers on this machine may see this: set admin.token to open it to others',
};

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address ?? '');
}

function bearerOf(authorization = ''): string {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
