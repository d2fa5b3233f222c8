import type { Parts } from './parts.ts';

/** Users asked for in one go. */
const usersAtOnce = 500;

/**
 * Sign-ins of other nodes may have been missed: watchers are told what is different now from what they were told last.
 *
 * @throws What the store throws. When it is away again, another repair follows its return.
 */
export async function repairWatchlists({
  watchlists,
  users,
}: Pick<Parts, 'users' | 'watchlists'>): Promise<void> {
  for (const [appId, watched] of watchlists.watched()) {
    const userIds = [...watched];
    for (let from = 0; from < userIds.length; from += usersAtOnce) {
      const states = await users.states(appId, userIds.slice(from, from + usersAtOnce));
      for (const state of states) watchlists.announce({ kind: 'user', appId, ...state });
    }
  }
}
