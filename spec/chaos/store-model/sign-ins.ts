import { identityOf, userVersionOf } from './telling.ts';
import type { Transaction } from './transaction.ts';

interface SignIn {
  readonly app: string;
  readonly user: string;
  readonly isAnnounced: boolean;
}

/** One more holder has the user signed in; the first one is told. */
export function signedIn(tx: Transaction, signIn: SignIn): void {
  const users = tx.state.signedIn.get(signIn.app) ?? new Map<string, number>();
  tx.state.signedIn.set(signIn.app, users);
  const holders = (users.get(signIn.user) ?? 0) + 1;
  users.set(signIn.user, holders);
  if (holders === 1) tellUser(tx, signIn, true);
}

/** One holder less; that it was the last is told. */
export function signedOut(tx: Transaction, signIn: SignIn): void {
  const users = tx.state.signedIn.get(signIn.app);
  const holders = (users?.get(signIn.user) ?? 0) - 1;
  if (holders > 0) {
    users?.set(signIn.user, holders);
  } else {
    users?.delete(signIn.user);
    tellUser(tx, signIn, false);
  }
}

function tellUser(tx: Transaction, { app, user, isAnnounced }: SignIn, isOnline: boolean): void {
  const store = identityOf(tx);
  store.userVersion = userVersionOf(store) + 1;
  if (!isAnnounced) return;
  tx.publish('sys', `u${JSON.stringify({ a: app, u: user, o: isOnline ? 1 : 0, v: store.userVersion })}`);
}
