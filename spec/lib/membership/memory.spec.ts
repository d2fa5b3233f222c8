import { describe, expect, test } from '@jest/globals';
import { MemoryMembershipStore } from '../../../lib/membership/memory.ts';
import type { MembershipAnnouncement } from '../../../lib/membership/membership-store.ts';
import type { LifecycleRecorder } from '../../../lib/membership/lifecycle-recorder.ts';
import { everyStores } from '../stores.ts';
import { describeRecordedLifecycle } from './recorded-lifecycle.contract.ts';
import { describeMembershipStore } from './membership-store.contract.ts';

for (const fixture of everyStores) {
  describeMembershipStore(fixture);
  describeRecordedLifecycle(fixture);
}

/** Writes down what it is told, in words. */
function recorderOf(told: string[]): LifecycleRecorder {
  return {
    occupied: (appId, channel) => told.push(`${appId} ${channel} occupied`),
    vacated: (appId, channel) => told.push(`${appId} ${channel} vacated`),
    memberAdded: (appId, channel, userId) => told.push(`${appId} ${channel} added ${userId}`),
    memberRemoved: (appId, channel, userId) => told.push(`${appId} ${channel} removed ${userId}`),
    counted: (appId, channel, subscriptions) => told.push(`${appId} ${channel} counts ${subscriptions}`),
  };
}

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
    const store = new MemoryMembershipStore(
      (announcement) => announcements.push(announcement),
      recorderOf([]),
    );
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

  test('announces as many channels as one call may change', () => {
    let announced = 0;
    const store = new MemoryMembershipStore(() => announced++, recorderOf([]));
    const joins = Array.from({ length: 200_000 }, (_, i) => ({ ...join, channel: `presence-${i}` }));
    store.apply(joins);
    expect(announced).toBe(joins.length);
  });

  test('is changed before it announces', () => {
    const seen: (readonly string[])[] = [];
    const store: MemoryMembershipStore = new MemoryMembershipStore(() => {
      seen.push(store.users('app-1', 'presence-x'));
    }, recorderOf([]));
    store.apply([join]);
    expect(seen).toEqual([['ada']]);
  });

  test('forgets a channel that was vacated', () => {
    const store = new MemoryMembershipStore(() => undefined, recorderOf([]));
    const { appId, channel, socketId, incarnation, counted } = join;
    store.apply([join, { kind: 'leave', appId, channel, socketId, incarnation, counted }]);
    expect(store.channels('app-1', '')).toEqual([]);
  });

  test('has recorded a change before it answers, occupied first and vacated last', () => {
    const told: string[] = [];
    const store = new MemoryMembershipStore(() => undefined, recorderOf(told));
    const { appId, channel, socketId, incarnation, counted } = join;
    store.apply([join]);
    store.apply([{ kind: 'leave', appId, channel, socketId, incarnation, counted }]);
    expect(told).toEqual([
      'app-1 presence-x occupied',
      'app-1 presence-x added ada',
      'app-1 presence-x counts 1',
      'app-1 presence-x removed ada',
      'app-1 presence-x vacated',
      'app-1 presence-x counts 0',
    ]);
  });

  test('announces a change made from within an announcement behind it', () => {
    const told: string[] = [];
    const store: MemoryMembershipStore = new MemoryMembershipStore(({ channel, version }) => {
      told.push(`${channel} ${version}`);
      if (told.length === 1) store.apply([{ ...join, channel: 'presence-y', socketId: '1.3', member: bob }]);
    }, recorderOf([]));
    const bob = { userId: 'bob', userInfoJson: undefined };
    store.apply([join, { ...join, channel: 'presence-y', socketId: '1.2' }]);
    expect(told).toEqual(['presence-x 1', 'presence-y 1', 'presence-y 2']);
  });
});
