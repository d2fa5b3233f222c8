import type { Connection } from '../../channels/connection.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import type { ClientMessage } from '../../protocol/client-messages.ts';
import { maxWatchlist } from '../../protocol/limits.ts';
import { parseUserData } from '../../protocol/presence-data.ts';
import { isSignature, splitAuth, userStringToSign } from '../../protocol/signatures.ts';
import type { AuthorizedMessage } from '../events.ts';

/** Key, signature, user data, and that the connection is not another user's already (protocol.md 5). */
export function authorizeSignin(
  connection: Connection,
  message: Extract<ClientMessage, { kind: 'signin' }>,
): AuthorizedMessage {
  ensureSigned(connection, message.auth, message.userData);
  const { id, userInfoJson, watchlist } = parseUserData(message.userData);
  ensureNotSomebodyElse(connection, id);
  const watched = connection.app.config.watchlist ? watchlist : [];
  return {
    kind: 'signin',
    connection,
    user: { id, userInfoJson, watchlist: watched.slice(0, maxWatchlist) },
    userData: message.userData,
    watchlistCut: watched.length > maxWatchlist,
  };
}

export function ensureNotSomebodyElse({ user }: Connection, userId: string): void {
  if (user !== undefined && user.id !== userId) throw new SpillwayError('signin.other-user');
}

function ensureSigned({ socketId, app }: Connection, auth: string, userData: string): void {
  const parts = splitAuth(auth);
  const key = parts === undefined ? undefined : app.signingKeys.get(parts.key);
  if (parts === undefined || key === undefined)
    throw new SpillwayError('signin.auth-key', { key: parts?.key ?? auth });
  const signed = userStringToSign(socketId, userData);
  if (!isSignature(key, signed, parts.signature))
    throw new SpillwayError('signin.auth-signature', { signed });
}
