import type { AppState } from '../cluster/agreement.ts';
import type { Stored } from '../cluster/store-dump.ts';
import { type Dumped, dumpModel } from '../store-model/dump.ts';
import type { PartitionState } from '../store-model/partition-state.ts';

/** Occupied channels of an app, with their subscriptions and the users that are present. */
export function appStateIn(states: readonly PartitionState[], app: string): AppState {
  const entries = states.flatMap(({ channels }) =>
    [...channels]
      .filter(([key, { holders }]) => key.startsWith(`${app}:`) && holders.size > 0)
      .map(([key, { holders, users }]) => {
        const present = [...users].filter(([, member]) => member.holders > 0).map(([user]) => user);
        const subscriptions = [...holders.values()].reduce((sum, count) => sum + count, 0);
        return [key.slice(app.length + 1), { users: present, subscriptions }] as const;
      }),
  );
  return Object.fromEntries(entries);
}

/** The keys that Redis would have. */
export function keysOf(states: readonly PartitionState[], nowMs: number): ReadonlyMap<string, Stored> {
  const keys = new Map<string, Stored>();
  for (const [partition, state] of states.entries()) {
    for (const [key, dumped] of Object.entries(dumpModel(state, nowMs))) {
      keys.set(`sw:{${partition}}${key}`, storedAs(dumped));
    }
  }
  return keys;
}

function storedAs({ type, items, isExpiring }: Dumped): Stored {
  switch (type) {
    case 'hash':
      return { type, fields: items, expires: isExpiring };
    case 'set':
      return { type, items: Object.keys(items) };
    case 'zset':
      return {
        type,
        scores: Object.fromEntries(Object.entries(items).map(([item, score]) => [item, Number(score)])),
      };
    case 'list':
      return { type, length: Object.keys(items).length };
    default:
      return { type: 'other' };
  }
}
