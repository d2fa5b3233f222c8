import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { maxPendingAnnouncements } from '../../../lib/channels/announce-window.ts';
import { Announcer, maxWindowMs } from '../../../lib/channels/announcer.ts';
import type { MembershipAnnouncement } from '../../../lib/membership/membership-store.ts';
import { memberAdded, memberRemoved, subscriptionCount } from '../../../lib/protocol/server-messages.ts';
import { SpecNode } from './node.ts';

const room = 'presence-room';
const crowd = 'crowd';
const windowMs = 50;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

function announcement(version: number, own: Partial<MembershipAnnouncement> = {}): MembershipAnnouncement {
  return { appId: 'app-1', channel: room, version, removed: [], added: [], ...own };
}
const came = (version: number, userId: string) =>
  announcement(version, { added: [{ userId, userInfoJson: undefined }] });
const went = (version: number, userId: string) => announcement(version, { removed: [userId] });
const counted = (version: number, count: number) =>
  announcement(version, { channel: crowd, subscriptionCount: count });

function open() {
  const node = new SpecNode();
  const announcer = new Announcer(node.registry, node.fanout, { windowMs });
  const announce = (...announcements: readonly MembershipAnnouncement[]): void => {
    for (const one of announcements) announcer.announce(one);
  };
  /** Time goes by, and everything that was published is sent. */
  const wait = (ms: number): void => {
    jest.advanceTimersByTime(ms);
    node.flush();
  };
  return { node, announcer, announce, wait, endOfTick: () => wait(0) };
}

/** A subscriber that was shown the channel at `version`. */
function subscriber(version = 0, channel = room) {
  const opened = open();
  const { connection, transport } = opened.node.connect();
  opened.node.join(connection, channel, version);
  return { ...opened, connection, transport, channel: opened.node.channel(channel) };
}

/** A subscriber in the window that the first announcement opened. */
function inWindow(channel = room) {
  const opened = subscriber(0, channel);
  opened.announce(channel === room ? came(1, 'first') : counted(1, 1));
  opened.endOfTick();
  opened.transport.take();
  return opened;
}

describe('a membership change', () => {
  test('is told to the subscribers', () => {
    const { announce, endOfTick, transport } = subscriber();
    announce(came(1, 'ada'), came(2, 'bob'));
    endOfTick();
    expect(transport.frames).toEqual([
      memberAdded(room, 'ada', undefined),
      memberAdded(room, 'bob', undefined),
    ]);
  });

  test('at the version a subscriber was shown is not told to it', () => {
    const { announce, endOfTick, transport } = subscriber(5);
    for (const version of [4, 5, 6]) announce(came(version, `user-${version}`));
    endOfTick();
    expect(transport.frames).toEqual([memberAdded(room, 'user-6', undefined)]);
  });

  test('of a channel this node has nothing to do with is ignored', () => {
    const { node, announcer, announce } = open();
    announce(came(1, 'ada'));
    expect([node.fanout.encoded, announcer.pending, jest.getTimerCount()]).toEqual([0, 0, 0]);
  });

  test('of a channel without subscribers waits for nobody', () => {
    const { node, announcer, announce } = open();
    node.channel(room);
    announce(came(1, 'ada'));
    expect([announcer.pending, jest.getTimerCount()]).toEqual([0, 0]);
  });

  test('that nobody is left to be told of is forgotten', () => {
    const { node, connection, announcer, announce, wait } = inWindow();
    announce(came(2, 'ada'));
    node.close(connection);
    wait(windowMs);
    expect([announcer.pending, announcer.passes, jest.getTimerCount()]).toEqual([0, 1, 0]);
  });
});

describe('the window of a channel', () => {
  test('that was quiet waits for the end of the tick', () => {
    const { announce, node, transport } = subscriber();
    announce(came(1, 'ada'));
    node.flush();
    const before = transport.frames.length;
    jest.advanceTimersByTime(0);
    node.flush();
    expect([before, transport.frames.length]).toEqual([0, 1]);
  });

  test('that was just opened waits for its end', () => {
    const { announce, wait, transport } = inWindow();
    wait(10);
    announce(came(2, 'ada'));
    wait(windowMs - 11);
    const before = transport.frames.length;
    wait(1);
    expect([before, transport.frames.length]).toEqual([0, 1]);
  });

  test('holds everything that happens in it, for one write', () => {
    const { announce, wait, transport, announcer } = inWindow();
    for (let version = 2; version <= 9; version++) {
      announce(came(version, `user-${version}`));
      wait(5);
    }
    wait(windowMs);
    expect([transport.writes.length, transport.frames.length, announcer.passes]).toEqual([1, 8, 2]);
  });

  test('begins anew with each announcement', () => {
    const { announce, wait, announcer } = inWindow();
    const passes = [2, 3, 4].map((version) => {
      announce(came(version, `user-${version}`));
      wait(windowMs);
      return announcer.passes;
    });
    expect(passes).toEqual([2, 3, 4]);
  });

  test('that is over leaves no timer behind', () => {
    const { announce, wait } = inWindow();
    announce(came(2, 'ada'));
    wait(windowMs);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('that was quiet again waits for the end of the tick again', () => {
    const { announce, wait, endOfTick, transport } = inWindow();
    wait(windowMs);
    announce(came(2, 'ada'));
    endOfTick();
    expect(transport.frames.length).toBe(1);
  });

  test('is no other channel’s', () => {
    const { node, connection, transport, announce, endOfTick } = inWindow();
    node.join(connection, 'presence-hall');
    announce({ ...came(2, 'ada'), channel: 'presence-hall' });
    endOfTick();
    expect(transport.frames).toEqual([memberAdded('presence-hall', 'ada', undefined)]);
  });

  test('does not become longer when the clock is set back', () => {
    const { announce, wait, transport } = inWindow();
    jest.setSystemTime(Date.now() - 3_600_000);
    announce(came(2, 'ada'));
    wait(windowMs);
    expect(transport.frames.length).toBe(1);
  });
});

describe('an announcement that takes more than half of its window', () => {
  /** A subscriber whose writes take so long. */
  function slowWrites(costMs: number) {
    const opened = subscriber();
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
    opened.transport.onWrite = () => {
      nowMs += costMs;
    };
    opened.announce(came(1, 'first'));
    opened.endOfTick();
    opened.transport.take();
    return opened;
  }

  test('makes the window twice as long as it took', () => {
    const { announce, wait, transport } = slowWrites(40);
    announce(came(2, 'ada'));
    wait(79);
    const before = transport.frames.length;
    wait(1);
    expect([before, transport.frames.length]).toEqual([0, 1]);
  });

  test('makes a window longer that somebody waits for already', () => {
    const { announce, wait, transport, node } = slowWrites(0);
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
    transport.onWrite = () => {
      nowMs += 40;
    };
    wait(windowMs);
    announce(came(2, 'ada'));
    jest.advanceTimersByTime(0);
    announce(came(3, 'bob'));
    node.flush();
    wait(79);
    const before = transport.frames.length;
    wait(1);
    expect([before, transport.frames.length]).toEqual([1, 2]);
  });

  test('makes no window longer than two seconds: the process may have been stopped meanwhile', () => {
    const { announce, wait, transport } = slowWrites(3_600_000);
    announce(came(2, 'ada'));
    wait(maxWindowMs - 1);
    const before = transport.frames.length;
    wait(1);
    expect([before, transport.frames.length]).toEqual([0, 1]);
  });

  test('makes no window longer than it is when it took half of it', () => {
    const { announce, wait, transport } = slowWrites(25);
    announce(came(2, 'ada'));
    wait(windowMs);
    expect(transport.frames.length).toBe(1);
  });

  test('is not taken for slow because of an event', () => {
    const { announce, wait, node, channel, transport } = slowWrites(0);
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
    transport.onWrite = () => {
      nowMs += 400;
    };
    node.fanout.publish(channel, 'event');
    node.flush();
    announce(came(2, 'ada'));
    wait(windowMs);
    expect(transport.frames.length).toBe(2);
  });
});

describe('what happens in one window', () => {
  test('is told as what came of it', () => {
    const { announce, wait, transport } = inWindow();
    announce(came(2, 'ada'), went(3, 'first'), went(4, 'ada'), came(5, 'ada'), came(6, 'first'));
    wait(windowMs);
    expect(transport.frames).toEqual([
      memberAdded(room, 'ada', undefined),
      memberRemoved(room, 'first'),
      memberAdded(room, 'first', undefined),
    ]);
  });

  test('is encoded once, however many subscribers there are', () => {
    const { node, announce, wait } = inWindow();
    for (let i = 0; i < 20; i++) node.join(node.connect().connection, room);
    const encoded = node.fanout.encoded;
    announce(came(2, 'ada'), came(3, 'bob'), went(4, 'ada'));
    wait(windowMs);
    expect(node.fanout.encoded - encoded).toBe(3);
  });

  test('is told from its middle on to who was shown the middle', () => {
    const { node, announce, wait, transport } = inWindow();
    announce(came(2, 'ada'), came(3, 'bob'));
    const late = node.connect();
    node.join(late.connection, room, 3);
    announce(went(4, 'ada'), came(5, 'eve'));
    wait(windowMs);
    const since = [memberRemoved(room, 'ada'), memberAdded(room, 'eve', undefined)];
    const before = [memberAdded(room, 'ada', undefined), memberAdded(room, 'bob', undefined)];
    expect([transport.frames, late.transport.frames]).toEqual([[...before, ...since], since]);
  });

  test('is cut also where a subscriber was shown what comes later', () => {
    const { node, announce, wait } = inWindow();
    const late = node.connect();
    node.join(late.connection, room, 3);
    announce(came(2, 'ada'), came(3, 'bob'), went(4, 'bob'));
    wait(windowMs);
    expect(late.transport.frames).toEqual([memberRemoved(room, 'bob')]);
  });

  test('never has its channel flushed at once, however many members it tells of', () => {
    const { node, announce, wait, transport } = inWindow();
    const added = Array.from({ length: 20_000 }, (_, i) => ({ userId: `${i}`, userInfoJson: undefined }));
    announce(announcement(2, { added }));
    wait(windowMs);
    expect([node.inline, transport.writes.length, transport.frames.length]).toEqual([[], 1, 20_000]);
  });
});

describe('as much as may be pending', () => {
  test('is announced at once', () => {
    const { node, announce, transport, announcer } = inWindow();
    for (let i = 0; i < maxPendingAnnouncements; i++) announce(came(2 + i, `user-${i}`));
    node.flush();
    expect([transport.frames.length, announcer.pending, announcer.inlinePasses]).toEqual([
      maxPendingAnnouncements,
      0,
      1,
    ]);
  });

  test('is one change more than what waits', () => {
    const { node, announce, transport, announcer } = inWindow();
    for (let i = 1; i < maxPendingAnnouncements; i++) announce(came(1 + i, `user-${i}`));
    node.flush();
    expect([transport.frames.length, announcer.pending, announcer.inlinePasses]).toEqual([
      0,
      maxPendingAnnouncements - 1,
      0,
    ]);
  });

  test('loses and doubles nothing of what comes after it', () => {
    const { announce, wait, transport } = inWindow();
    const count = maxPendingAnnouncements + 5;
    for (let i = 0; i < count; i++) announce(came(2 + i, `user-${i}`));
    wait(windowMs);
    expect(transport.frames).toEqual(
      Array.from({ length: count }, (_, i) => memberAdded(room, `user-${i}`, undefined)),
    );
  });
});

describe('who follows an announcement', () => {
  test('follows at once after a quiet window, behind what is pending', () => {
    const { announcer, announce, channel, connection, transport, node } = subscriber();
    announce(came(1, 'ada'));
    announcer.follow(channel, () => node.fanout.reply(connection, 'followed'));
    expect(transport.frames).toEqual([memberAdded(room, 'ada', undefined), 'followed']);
  });

  test('waits for the end of the window', () => {
    const { announcer, announce, channel, connection, transport, node, wait } = inWindow();
    announcer.follow(channel, () => node.fanout.reply(connection, 'followed'));
    announce(came(2, 'ada'));
    wait(windowMs - 1);
    const before = transport.frames.length;
    wait(1);
    expect([before, transport.frames]).toEqual([0, [memberAdded(room, 'ada', undefined), 'followed']]);
  });

  test('opens a window, even if nothing is announced', () => {
    const { announcer, channel } = subscriber();
    const followed: number[] = [];
    announcer.follow(channel, () => followed.push(1));
    announcer.follow(channel, () => followed.push(2));
    const atOnce = [...followed];
    jest.advanceTimersByTime(windowMs);
    expect([atOnce, followed]).toEqual([[1], [1, 2]]);
  });

  test('leaves no second announcement to the end of the tick', () => {
    const { announcer, announce, channel, endOfTick } = subscriber();
    announce(came(1, 'ada'));
    announcer.follow(channel, () => undefined);
    announce(came(2, 'bob'));
    endOfTick();
    expect([announcer.passes, announcer.pending]).toEqual([1, 1]);
  });
});

describe('what is announced while a snapshot is read', () => {
  test('is held, also when nobody is subscribed', () => {
    const { node, announce, wait } = open();
    const { announcing } = node.channel(room);
    announcing.beginHolding();
    announce(came(2, 'ada'), came(3, 'bob'));
    const pending = announcing.pending;
    wait(windowMs);
    expect([pending, announcing.held?.map(({ version }) => version)]).toEqual([2, [2, 3]]);
  });

  test('is held up to a cap; beyond it nothing is', () => {
    const { channel, announce, wait } = inWindow();
    channel.announcing.beginHolding();
    for (let i = 0; i < maxPendingAnnouncements; i++) announce(came(2 + i, `user-${i}`));
    const atCap = channel.announcing.held?.length;
    announce(came(5_000, 'ada'));
    wait(windowMs);
    expect([atCap, channel.announcing.held]).toEqual([maxPendingAnnouncements, undefined]);
  });
});

describe('the number of subscriptions', () => {
  test('is told as the last one of the window', () => {
    const { announce, wait, transport } = inWindow(crowd);
    for (const count of [98, 99, 100]) announce(counted(count, count));
    wait(windowMs);
    expect(transport.frames).toEqual([subscriptionCount(crowd, 100)]);
  });

  test('is not told to who was shown it', () => {
    const { node, announce, wait, transport } = inWindow(crowd);
    const late = node.connect();
    announce(counted(2, 2));
    node.join(late.connection, crowd, 2);
    wait(windowMs);
    expect([transport.frames.length, late.transport.frames.length]).toEqual([1, 0]);
  });

  test('is known on the channel at once', () => {
    const { announce, channel } = inWindow(crowd);
    announce(counted(2, 2));
    expect(channel.lastCount).toEqual({ count: 2, version: 2 });
  });

  /** Counts one after the other, each in a window of its own. */
  function throttled(...counts: readonly number[]) {
    const opened = subscriber(0, crowd);
    for (const count of counts) {
      opened.announce(counted(opened.announcer.passes + 1, count));
      opened.wait(windowMs);
    }
    return opened;
  }

  test('above a hundred is told at most once in five seconds', () => {
    expect(throttled(101, 102, 103).transport.frames).toEqual([subscriptionCount(crowd, 101)]);
  });

  test('that waits is told as it is when its time has come', () => {
    const { announcer, transport, wait } = throttled(101, 102, 103);
    wait(5_000);
    announcer.sendWaitingCounts();
    wait(0);
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101), subscriptionCount(crowd, 103)]);
  });

  test('that waits is not told a moment too early', () => {
    const { announcer, transport, wait } = throttled(101);
    wait(4_999 - windowMs);
    announcer.sendWaitingCounts();
    wait(0);
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101)]);
  });

  test('that waits is told once', () => {
    const { announcer, transport, wait } = throttled(101, 102);
    for (let i = 0; i < 2; i++) {
      wait(5_000);
      announcer.sendWaitingCounts();
    }
    wait(0);
    expect(transport.frames.length).toBe(2);
  });

  test('that falls to a hundred is told at once, and what waited is not told any more', () => {
    const { announcer, transport, wait } = throttled(101, 102, 100);
    wait(5_000);
    announcer.sendWaitingCounts();
    wait(0);
    expect(transport.frames).toEqual([subscriptionCount(crowd, 101), subscriptionCount(crowd, 100)]);
  });

  test('of a channel that lost its last subscriber waits for nothing', () => {
    const { node, announcer, connection } = throttled(101, 102);
    const waiting = announcer.waitingCounts;
    node.close(connection);
    announcer.sendWaitingCounts();
    expect([waiting, announcer.waitingCounts]).toEqual([1, 0]);
  });
});
