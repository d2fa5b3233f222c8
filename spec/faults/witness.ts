import type { AppState, Witness } from '../chaos/cluster/agreement.ts';
import type { SocketView } from '../chaos/cluster/socket-view.ts';
import type { Journal } from '../support/journal.ts';
import { foldOf } from '../support/journal-problems.ts';

/** What a client sees of the channels it is in. */
export function clientWitness(view: SocketView): Witness {
  const entries = view.joined.map((channel) => {
    const subscriptions = view.countOf(channel);
    const users = view.membersOf(channel);
    return [channel, { users, ...(subscriptions === undefined ? {} : { subscriptions }) }] as const;
  });
  return { name: view.name, seesOnly: view.joined, state: Object.fromEntries(entries) };
}

/** The state that the webhooks of an endpoint lead to. */
export function endpointWitness(journal: Journal): Witness {
  const fold = Object.entries(foldOf(journal.events));
  return { name: 'webhooks', state: Object.fromEntries(fold.map(([name, users]) => [name, { users }])) };
}

/** The channels of both, their users and subscriptions together. */
export function union(...states: readonly AppState[]): AppState {
  const all = new Map<string, { users: string[]; subscriptions: number }>();
  for (const [channel, { users, subscriptions = 0 }] of states.flatMap((state) => Object.entries(state))) {
    const there = all.get(channel) ?? { users: [], subscriptions: 0 };
    all.set(channel, there);
    there.users.push(...users);
    there.subscriptions += subscriptions;
  }
  return Object.fromEntries(all);
}
