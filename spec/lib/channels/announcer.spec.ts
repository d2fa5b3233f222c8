import { describe, expect, test } from '@jest/globals';
import { Announcer } from '../../../lib/channels/announcer.ts';
import type { MembershipAnnouncement } from '../../../lib/membership/membership-store.ts';
import { memberAdded, memberRemoved, subscriptionCount } from '../../../lib/protocol/server-messages.ts';
import { ManualClock } from '../manual-clock.ts';
import { nameOf, SpecNode } from './node.ts';

const room = 'presence-room';
const crowd = 'crowd';

function announcement(version: number, own: Partial<MembershipAnnouncement> = {}): MembershipAnnouncement {
  return { appId: 'app-1', channel: room, version, removed: [], added: [], ...own };
}
const came = (version: number, userId: string) =>
  announcement(version, { added: [{ userId, userInfoJson: undefined }] });
const went = (version: number, userId: string) => announcement(version, { removed: [userId] });
const counted = (version: number, count: number) =>
  announcement(version, { channel: crowd, subscriptionCount: count });

function open() {
  const clock = new ManualClock();
  const node = new SpecNode();
  const announcer = new Announcer(node.registry, node.fanout, clock);
  return { clock, node, announcer };
}

/** A subscriber that was shown the channel at `version`. */
function subscriber(version = 0, channel = room) {
  const opened = open();
  const { connection, transport } = opened.node.connect();
  opened.node.join(connection, channel, version);
  return { ...opened, connection, transport };
}

describe('a membership change', () => {
  test('is told to the subscribers', () => {
    const { node, announcer, transport } = subscriber();
    announcer.announce(came(1, 'ada'));
    announcer.announce(went(2, 'ada'));
    node.flush();
    expect(transport.frames).toEqual([memberAdded(room, 'ada', undefined), memberRemoved(room, 'ada')]);
  });

  test('that replaces a user tells who went before who came', () => {
    const { node, announcer, transport } = subscriber();
    announcer.announce(announcement(1, { ...came(1, 'bob'), removed: ['ada'] }));
    node.flush();
    expect(transport.frames).toEqual([memberRemoved(room, 'ada'), memberAdded(room, 'bob', undefined)]);
  });

  test('carries the user_info as it came', () => {
    const { node, announcer, transport } = subscriber();
    announcer.announce(announcement(1, { added: [{ userId: 'ada', userInfoJson: '{"a":1.0}' }] }));
    node.flush();
    expect(transport.frames).toEqual([memberAdded(room, 'ada', '{"a":1.0}')]);
  });

  test('at the version a subscriber was shown is not told to it', () => {
    const { node, announcer, transport } = subscriber(5);
    for (const version of [4, 5, 6]) announcer.announce(came(version, `user-${version}`));
    node.flush();
    expect(transport.frames).toEqual([memberAdded(room, 'user-6', undefined)]);
  });

  test('of a channel this node has nothing to do with is ignored', () => {
    const { node, announcer } = open();
    announcer.announce(came(1, 'ada'));
    expect(node.fanout.encoded).toBe(0);
  });
});

describe('what happens while a subscriber joins', () => {
  function joining() {
    const opened = open();
    const { connection, transport } = opened.node.connect();
    const begun = opened.node.subscriptions.begin(connection, nameOf(room), 'me');
    const succeed = (version: number): void => {
      const subscription = opened.node.subscriptions.activate(begun, version);
      opened.node.fanout.reply(connection, 'success');
      opened.announcer.catchUp(subscription, begun.heldAnnouncements);
    };
    return { ...opened, transport, succeed };
  }

  test('is not told before its success', () => {
    const { node, announcer, transport } = joining();
    announcer.announce(came(1, 'ada'));
    node.flush();
    expect(transport.frames).toEqual([]);
  });

  test('is told after its success, in order', () => {
    const { announcer, transport, succeed } = joining();
    announcer.announce(came(8, 'ada'));
    announcer.announce(went(9, 'ada'));
    succeed(7);
    expect(transport.frames).toEqual([
      'success',
      memberAdded(room, 'ada', undefined),
      memberRemoved(room, 'ada'),
    ]);
  });

  test('and is part of its snapshot already is never told', () => {
    const { node, announcer, transport, succeed } = joining();
    for (const version of [6, 7]) announcer.announce(came(version, `user-${version}`));
    succeed(7);
    node.flush();
    expect(transport.frames).toEqual(['success']);
  });

  test('is told once, also when it came with others to those who are subscribed', () => {
    const { node, announcer, transport, succeed } = joining();
    const other = node.connect();
    node.join(other.connection, room);
    announcer.announce(came(8, 'ada'));
    succeed(7);
    node.flush();
    expect(transport.frames).toEqual(['success', memberAdded(room, 'ada', undefined)]);
  });

  test('is told as one count, the last', () => {
    const opened = open();
    const { connection, transport } = opened.node.connect();
    const begun = opened.node.subscriptions.begin(connection, nameOf(crowd), undefined);
    for (const count of [2, 3, 4]) opened.announcer.announce(counted(count, count));
    opened.announcer.catchUp(opened.node.subscriptions.activate(begun, 4), begun.heldAnnouncements);
    expect(transport.frames).toEqual([subscriptionCount(crowd, 4)]);
  });

  test('is held up to a cap; beyond it the oldest give way', () => {
    const { announcer, transport, succeed } = joining();
    for (let version = 1; version <= 10_001; version++) announcer.announce(went(version, `${version}`));
    succeed(0);
    expect([transport.frames.length, transport.frames[1]]).toEqual([10_001, memberRemoved(room, '2')]);
  });
});

describe('the number of subscriptions', () => {
  test('is told with every change up to a hundred', () => {
    const { node, announcer, transport } = subscriber(0, crowd);
    for (const count of [98, 99, 100]) announcer.announce(counted(count, count));
    node.flush();
    expect(transport.frames).toEqual([98, 99, 100].map((count) => subscriptionCount(crowd, count)));
  });

  test('above a hundred is told at most once in five seconds', () => {
    const { node, announcer, transport } = subscriber(0, crowd);
    for (const count of [101, 102, 103]) announcer.announce(counted(count, count));
    node.flush();
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101)]);
  });

  test('that waits is told as it is when its time has come', () => {
    const { node, announcer, transport, clock } = subscriber(0, crowd);
    for (const count of [101, 102, 103]) announcer.announce(counted(count, count));
    clock.advance(5_000);
    announcer.sendWaitingCounts();
    node.flush();
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101), subscriptionCount(crowd, 103)]);
  });

  test('that waits is not told a moment too early', () => {
    const { node, announcer, transport, clock } = subscriber(0, crowd);
    for (const count of [101, 102]) announcer.announce(counted(count, count));
    clock.advance(4_999);
    announcer.sendWaitingCounts();
    node.flush();
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101)]);
  });

  test('that waits is told once', () => {
    const { node, announcer, transport, clock } = subscriber(0, crowd);
    for (const count of [101, 102]) announcer.announce(counted(count, count));
    clock.advance(5_000);
    announcer.sendWaitingCounts();
    clock.advance(5_000);
    announcer.sendWaitingCounts();
    node.flush();
    expect(transport.frames.length).toBe(2);
  });

  test('that falls to a hundred is told at once, and what waited is not told any more', () => {
    const { node, announcer, transport, clock } = subscriber(0, crowd);
    for (const count of [101, 102, 100]) announcer.announce(counted(count, count));
    clock.advance(5_000);
    announcer.sendWaitingCounts();
    node.flush();
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101), subscriptionCount(crowd, 100)]);
  });

  test('of a channel that lost its last subscriber waits for nothing', () => {
    const { node, announcer, connection } = subscriber(0, crowd);
    for (const count of [101, 102]) announcer.announce(counted(count, count));
    const waiting = announcer.waitingCounts;
    node.close(connection);
    announcer.sendWaitingCounts();
    expect([waiting, announcer.waitingCounts]).toEqual([1, 0]);
  });
});
