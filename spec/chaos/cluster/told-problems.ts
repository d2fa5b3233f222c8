import type { Journal } from '../../support/journal.ts';
import { foldOf, problemsOf } from '../../support/journal-problems.ts';
import type { AppState, Witness } from './agreement.ts';
import type { AppName } from './apps.ts';
import type { Fault, Plan } from './faults.ts';

/** What R2 and R7 allow for in a plan. */
export interface Allowances {
  /** The store loses something: what was sent may be sent again, in other batches. */
  readonly losesStore: boolean;
  /** The store loses something, and nodes that knew of it go too: an end may never be told. */
  readonly mayForget: boolean;
  /** Redis is away, or comes back without what it had: who comes and goes meanwhile is not told. */
  readonly mayMissVisits: boolean;
}

export function allowancesOf({ appendfsync, faults }: Plan): Allowances {
  const has = (...kinds: readonly Fault['kind'][]): boolean =>
    faults.some(({ fault }) => kinds.includes(fault.kind));
  const losesStore = has('wipe') || (appendfsync === 'everysec' && has('redis-kill'));
  const losesNodes = has('kill', 'kill-after-drop', 'kill-at-take', 'rolling-restart');
  return {
    losesStore,
    mayForget: losesStore && losesNodes,
    mayMissVisits: has('wipe', 'redis-kill', 'redis-pause', 'link', 'pause'),
  };
}

/** What the journal of an endpoint shows against R2, R3, R4 and R9. */
export function toldProblems(
  app: AppName,
  journal: Journal,
  visits: readonly { readonly channel: string; readonly user: string }[],
  { losesStore, mayForget, mayMissVisits }: Allowances,
): readonly string[] {
  const told = new Set(
    journal.events.map(({ name, channel, user_id: user = '' }) => `${name} ${channel} ${user}`),
  );
  const strangers = journal.events.filter(({ user_id: user }) => user?.startsWith(`${app}-`) === false);
  const untold = visits.filter(
    ({ channel, user }) =>
      !told.has(user === '' ? `channel_occupied ${channel} ` : `member_added ${channel} ${user}`),
  );
  return [
    ...problemsOf(journal, { rebatches: losesStore, mayForget }),
    ...strangers.map(({ id, user_id: user }) => `${id}: user ${user} is of another app`),
    ...(mayMissVisits
      ? []
      : untold.map(({ channel, user }) => `${channel} ${user}: was there, and nobody was told`)),
  ].map((problem) => `endpoint of app ${app}: ${problem}`);
}

/** The fold of all webhooks. */
export function foldWitness(
  app: AppName,
  journal: Journal,
  truth: AppState,
  { mayForget }: Allowances,
): Witness {
  const fold = Object.entries(foldOf(journal.events));
  const state = fold.map(([channel, users]) => [channel, { users }] as const);
  const remembered = state
    .filter(([channel]) => truth[channel] !== undefined)
    .map(([channel, { users }]) => {
      const there = truth[channel]?.users ?? [];
      return [channel, { users: users.filter((user) => there.includes(user)) }] as const;
    });
  return { name: `webhooks of app ${app}`, state: Object.fromEntries(mayForget ? remembered : state) };
}
