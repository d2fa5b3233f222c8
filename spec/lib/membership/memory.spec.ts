import { describe, expect, test } from '@jest/globals';
import { MemoryMembershipStore } from '../../../lib/membership/memory.ts';
import type { MembershipAnnouncement } from '../../../lib/membership/membership-store.ts';
import { everyStores } from '../stores.ts';
import { describeMembershipStore } from './membership-store.contract.ts';

for (const [name, createStores] of everyStores) describeMembershipStore(name, createStores);

describe('membership in memory', () => {
  const join = {
    kind: 'join' as const,
    appId: 'app-1',
    channel: 'presence-x',
    socketId: '1.1',
    incarnation: 1,
    maxMembers: 0,
    counted: true,
    member: { userId: 'ada', userInfoJson: undefined },
  };

  test('has announced a change before it answers', () => {
    const announcements: MembershipAnnouncement[] = [];
    const store = new MemoryMembershipStore((announcement) => announcements.push(announcement));
    store.apply([join]);
    expect(announcements).toEqual([
      {
        appId: 'app-1',
        channel: 'presence-x',
        version: 1,
        removed: [],
        added: [join.member],
        subscriptionCount: 1,
      },
    ]);
  });

  test('is changed before it announces', () => {
    const seen: (readonly string[])[] = [];
    const store: MemoryMembershipStore = new MemoryMembershipStore(() => {
      seen.push(store.users('app-1', 'presence-x'));
    });
    store.apply([join]);
    expect(seen).toEqual([['ada']]);
  });

  test('forgets a channel that was vacated', () => {
    const store = new MemoryMembershipStore(() => undefined);
    const { appId, channel, socketId, incarnation, counted } = join;
    store.apply([join, { kind: 'leave', appId, channel, socketId, incarnation, counted }]);
    expect(store.channels('app-1', '')).toEqual([]);
  });
});
