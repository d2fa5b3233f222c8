import type { AppState, Witness } from './agreement.ts';
import { isPresence, type Seat } from './apps.ts';
import type { SocketView } from './socket-view.ts';

/** A client with an open connection. */
interface Open {
  readonly seat: Seat;
  readonly view: SocketView;
}

/** The union of the live sockets. */
export function unionOf(open: readonly Open[]): AppState {
  const state: Record<string, { readonly users: Set<string>; subscriptions: number }> = {};
  for (const { seat, view } of open) {
    for (const channel of view.joined) {
      const there = (state[channel] ??= { users: new Set(), subscriptions: 0 });
      there.subscriptions += 1;
      if (isPresence(channel)) there.users.add(seat.user);
    }
  }
  const entries = Object.entries(state).map(
    ([channel, { users, subscriptions }]) => [channel, { users: [...users], subscriptions }] as const,
  );
  return Object.fromEntries(entries);
}

/** What each client sees of the channels it is in. */
export function witnessesOf(open: readonly Open[]): readonly Witness[] {
  return open.map(({ view }) => ({
    name: view.name,
    seesOnly: view.joined,
    state: Object.fromEntries(
      view.joined.map((channel) => {
        const subscriptions = view.countOf(channel);
        const users = view.membersOf(channel);
        return [channel, { users, ...(subscriptions === undefined ? {} : { subscriptions }) }];
      }),
    ),
  }));
}
