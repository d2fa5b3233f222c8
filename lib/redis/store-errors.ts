import { types } from 'node:util';
import { ReplyError } from 'ioredis';
import { StoreAway } from './store-link.ts';

/** Words that Redis begins an error with when it cannot do it now: the same call may do well later. */
const notNow = new Set([
  'LOADING',
  'READONLY',
  'NOREPLICAS',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'OOM',
  'BUSY',
  'MISCONF',
  'MOVED',
  'ASK',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
]);

/** The text ioredis gives a call that had no answer in time. */
const timedOut = 'Command timed out';

/**
 * What a failed call means: Redis's own word about a script is thrown as it is, anything else is that the store is away.
 * What was sent (data of users, in HELLO the password) is not part of the error.
 */
export function toStoreError(thrown: unknown): Error {
  if (!types.isNativeError(thrown)) return new StoreAway(String(thrown));
  if (!isReplyError(thrown) || notNow.has(wordOf(thrown))) return new StoreAway(thrown.message);
  Reflect.deleteProperty(thrown, 'command');
  return thrown;
}

/** Why a connection or a call failed; of a Cluster none of whose nodes could be asked, what the last one said. */
export function reasonOf(thrown: unknown): string {
  if (!types.isNativeError(thrown)) return String(thrown);
  if (thrown instanceof StoreAway) return thrown.reason;
  const { lastNodeError } = thrown as { lastNodeError?: unknown };
  return types.isNativeError(lastNodeError) ? lastNodeError.message : thrown.message;
}

export function isTimeout(error: Error): boolean {
  return textOf(error) === timedOut;
}

/** The server that answered is not the master (any more). */
export function isReadOnly(error: Error): boolean {
  return wordOf(error) === 'READONLY';
}

/** The first word, also when the error came out of a call inside a script ("… READONLY You can't write …"). */
function wordOf(error: Error): string {
  const message = textOf(error);
  const inScript = /^(?:ERR )?Error running script.*?: @user_script: ?\d+: -?(?<word>[A-Z]+)/.exec(message);
  return inScript?.groups?.['word'] ?? message.split(' ', 1)[0] ?? '';
}

function textOf(error: Error): string {
  return error instanceof StoreAway ? error.reason : error.message;
}

function isReplyError(error: Error): boolean {
  return error instanceof (ReplyError as new () => Error);
}
