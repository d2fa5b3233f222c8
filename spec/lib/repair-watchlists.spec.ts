import { expect, test } from '@jest/globals';
import { Watchlists } from '../../lib/channels/watchlists.ts';
import { watchlistEvents } from '../../lib/protocol/server-messages.ts';
import { repairWatchlists } from '../../lib/repair-watchlists.ts';
import type { SignedInUsers } from '../../lib/users/signed-in-users.ts';
import { SpecNode } from './channels/node.ts';

function usersOnline(online: readonly string[], asked: number[]): SignedInUsers {
  return {
    apply: () => undefined,
    states: (_, userIds) => {
      asked.push(userIds.length);
      return Promise.resolve(
        userIds.map((userId) => ({ userId, online: online.includes(userId), version: 9 })),
      );
    },
  };
}

test('watchers are told what is different now, and nothing else', async () => {
  const node = new SpecNode();
  const watchlists = new Watchlists(node.fanout);
  const { connection, transport } = node.connect();
  watchlists.watch(connection, ['ada', 'bob']);
  watchlists.show(connection, [
    { userId: 'ada', online: true, version: 3 },
    { userId: 'bob', online: false, version: 3 },
  ]);
  await repairWatchlists({ watchlists, users: usersOnline(['ada', 'bob'], []) });
  expect(transport.frames.slice(1)).toEqual([watchlistEvents([{ name: 'online', userIds: ['bob'] }])]);
});

test('no question is about more than 500 users', async () => {
  const node = new SpecNode();
  const watchlists = new Watchlists(node.fanout);
  const userIds = Array.from({ length: 1_001 }, (_, index) => `user-${index}`);
  for (let from = 0; from < userIds.length; from += 100) {
    watchlists.watch(node.connect().connection, userIds.slice(from, from + 100));
  }
  const asked: number[] = [];
  await repairWatchlists({ watchlists, users: usersOnline([], asked) });
  expect(asked).toEqual([500, 500, 1]);
});
