import { SpillwayError } from '../../errors/spillway-error.ts';
import { andThen, type MaybePromise } from '../../flow/maybe-promise.ts';
import { maxWatchlist } from '../../protocol/limits.ts';
import { errorMessage, signinSuccess } from '../../protocol/server-messages.ts';
import type { AuthorizedMessage } from '../events.ts';
import type { Services } from '../services.ts';
import { ensureNotSomebodyElse } from './authorize-signin.ts';

type Signin = Extract<AuthorizedMessage, { kind: 'signin' }>;
type Needs = Pick<Services, 'fanout' | 'signedIn' | 'telemetry' | 'users' | 'watchlists'>;

/** Makes the connection the user's. Success first, then the state of those it watches (protocol.md 2.3, 5). */
export function signIn(
  { connection, user, userData, watchlistCut }: Signin,
  services: Needs,
): MaybePromise<void> {
  const { fanout, signedIn, telemetry, users, watchlists } = services;
  const { app, socketId } = connection;
  // A stage in the slot that works on several messages at once lets a second one past `authorize`.
  ensureNotSomebodyElse(connection, user.id);
  connection.user = user;
  connection.authorised = true;
  signedIn.add(user.id, connection);
  watchlists.unwatch(connection);
  if (user.watchlist.length > 0) watchlists.watch(connection, user.watchlist);

  const signedInNow = users.apply([{ kind: 'sign-in', appId: app.id, userId: user.id, socketId }]);
  return andThen(signedInNow, () => {
    if (connection.closing) return undefined;
    fanout.reply(connection, signinSuccess(userData));
    telemetry.emit('user.signed-in', { appId: app.id, socketId, userId: user.id });
    if (watchlistCut) {
      const error = new SpillwayError('signin.watchlist-limit', { limit: maxWatchlist });
      fanout.reply(connection, errorMessage(error.message, error.entry.pusherCode ?? null));
    }
    return showWatched(connection, services);
  });
}

function showWatched(
  connection: Signin['connection'],
  { users, watchlists }: Pick<Services, 'users' | 'watchlists'>,
): MaybePromise<void> {
  const watched = connection.user?.watchlist ?? [];
  if (watched.length === 0) return undefined;
  return andThen(users.states(connection.app.id, watched), (states) => {
    if (!connection.closing) watchlists.show(connection, states);
  });
}
