import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { MaybePromise } from '../../../../lib/flow/maybe-promise.ts';
import type {
  Member,
  MembershipAnnouncement,
  MembershipSnapshot,
} from '../../../../lib/membership/membership-store.ts';
import { ChannelViews } from '../../../../lib/membership/redis/channel-views.ts';
import { type Reply, StoreAway } from '../../../../lib/redis/store-link.ts';
import { type Call, FakeLink } from '../../fake-link.ts';
import { settled } from '../../flow/promises.ts';

const app = 'app-1';
const room = 'presence-room';
const member = (userId: string, userInfoJson?: string): Member => ({ userId, userInfoJson });
const heardText = (v: number, added: readonly string[] = [], removed: readonly string[] = []): string =>
  JSON.stringify({ v, r: removed, a: added.map((user) => [user, '-']) });

/** What `view` answers of a channel with these users. */
const ok = (version: number, ...users: readonly string[]): Reply => [
  ...['OK', version, users.length, users.length],
  ...users.flatMap((user) => [user, '-']),
];

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function open() {
  const link = new FakeLink();
  const told: MembershipAnnouncement[] = [];
  const failures: unknown[] = [];
  const local = new Map<string, readonly Member[]>();
  /** Channels of which the store has yet to confirm what was shown here. */
  const unconfirmed = new Set<string>();
  /** Readings under way: each call of `reads.shift()!(reply)` answers the oldest. */
  const reads: ((reply: Reply | Error) => void)[] = [];
  link.answer = () =>
    new Promise<Reply>((resolve, reject) => {
      reads.push((reply) => (reply instanceof Error ? reject(reply) : resolve(reply)));
    });
  const views = new ChannelViews({
    link,
    announce: (announcement) => told.push(announcement),
    localMembers: (_, channel) => local.get(channel) ?? [],
    isUnconfirmed: (_, channel) => unconfirmed.has(channel),
    hasMembers: (channel) => channel.startsWith('presence-'),
    isCounted: (_, channel) => channel.startsWith('counted-'),
    onFailed: (error) => failures.push(error),
  });
  const answer = async (reply: Reply | Error): Promise<void> => {
    reads.shift()!(reply);
    await settled();
  };
  const loaded = async (channel: string, reply: Reply): Promise<void> => {
    views.setInterest(app, channel, true);
    views.listening(app, channel);
    await answer(reply);
    told.length = 0;
  };
  return { link, views, told, failures, local, unconfirmed, reads, answer, loaded };
}
const usersOf = async (snapshot: MaybePromise<MembershipSnapshot>) => {
  const { version, members } = await snapshot;
  return { version, users: members.map(({ userId }) => userId) };
};
const shortly = ({ version, removed, added }: MembershipAnnouncement) => [
  version,
  removed.join(),
  added.map(({ userId }) => userId).join(),
];

describe('channel views', () => {
  test('read a channel once it is listened to, not before', async () => {
    const { link, views, answer } = open();
    views.setInterest(app, room, true);
    expect(link.calls).toEqual([]);
    views.listening(app, room);
    await answer(ok(3, 'ada'));
    expect(link.calls).toMatchObject([{ script: 'view', args: [app, room, 20_000] }]);
    expect(await usersOf(views.snapshot(app, room, 0))).toEqual({ version: 3, users: ['ada'] });
    expect([views.versionOf(app, room), [...views.membersOf(app, room).keys()]]).toEqual([3, ['ada']]);
  });

  test('keep nothing of plain channels that are not counted', () => {
    const { link, views } = open();
    views.setInterest(app, 'plain', true);
    views.listening(app, 'plain');
    expect([views.size, link.calls]).toEqual([0, []]);
  });

  test('take a very large channel whole, in a second reading', async () => {
    const { link, views, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    await answer(['LARGE', 3, 30_000]);
    await answer(ok(3, 'ada'));
    expect([link.calls[1]?.args[2], views.versionOf(app, room)]).toEqual([2 ** 31, 3]);
  });

  test('announce what is heard, in version order', async () => {
    const { views, told, loaded } = open();
    await loaded(room, ok(1, 'ada'));
    views.heard(app, room, heardText(2, ['bob']));
    views.heard(app, room, heardText(2, ['eve']));
    views.heard(app, room, heardText(3, [], ['ada']));
    expect(told.map(shortly)).toEqual([
      [2, '', 'bob'],
      [3, 'ada', ''],
    ]);
  });

  test('pass the info of a member on as it came', async () => {
    const { views, told, loaded } = open();
    await loaded(room, ok(1));
    views.heard(app, room, '{"v":2,"r":{},"a":[["ada","={\\"name\\":\\"Ada\\"}"],["bob","-"]]}');
    expect(told[0]?.added).toEqual([member('ada', '{"name":"Ada"}'), member('bob')]);
  });

  test.each([
    '',
    '{',
    '7',
    'null',
    '{}',
    '{"v":"1"}',
    '{"v":2,"a":[["ada"]]}',
    '{"v":2,"a":[["ada","x"]]}',
    '{"v":2,"r":[1]}',
    '{"v":2,"c":"1"}',
  ])('do not understand %p, and take nothing of it', async (text) => {
    const { views, told, loaded } = open();
    await loaded(room, ok(1));
    expect([views.heard(app, room, text), told, views.versionOf(app, room)]).toEqual([false, [], 1]);
  });

  test('hold what is heard while a channel is read, and apply it on top', async () => {
    const { views, told, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    views.heard(app, room, heardText(4, ['ada']));
    views.heard(app, room, heardText(5, ['bob']));
    await answer(ok(4, 'ada'));
    expect(told.map(shortly)).toEqual([
      [4, '', 'ada'],
      [5, '', 'bob'],
    ]);
  });

  test('read a channel again when more was heard meanwhile than is held', async () => {
    const { views, reads, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    for (let v = 2; v < 1_100; v++) views.heard(app, room, heardText(v, [`u${v}`]));
    await answer(ok(1));
    expect(reads.length).toBe(1);
    await answer(ok(1_099, 'last'));
    expect(views.versionOf(app, room)).toBe(1_099);
  });

  test('read a presence channel again after a gap, and tell the difference once', async () => {
    const { views, told, reads, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    views.heard(app, room, heardText(3, ['bob']));
    views.heard(app, room, heardText(4, ['eve']));
    expect([reads.length, views.gaps]).toEqual([1, 1]);
    await answer(ok(4, 'bob', 'eve'));
    expect(told.map(shortly)).toEqual([[4, 'ada', 'bob,eve']]);
  });

  test('read once more when there is a gap behind what was read', async () => {
    const { views, told, loaded, answer } = open();
    await loaded(room, ok(1));
    views.heard(app, room, heardText(3, ['bob']));
    views.heard(app, room, heardText(6, ['eve']));
    await answer(ok(3, 'bob'));
    await answer(ok(6, 'bob', 'eve'));
    expect(told.map(shortly)).toEqual([
      [3, '', 'bob'],
      [6, '', 'eve'],
    ]);
  });

  test('tell counts of counted channels, whatever was missed', async () => {
    const { views, told, answer } = open();
    views.setInterest(app, 'counted-x', true);
    views.listening(app, 'counted-x');
    await answer(['OK', '4', '2', '0']);
    views.heard(app, 'counted-x', '{"v":9,"r":{},"a":{},"c":5}');
    expect(told.map(({ version, subscriptionCount }) => [version, subscriptionCount])).toEqual([
      [4, 2],
      [9, 5],
    ]);
  });

  test('forget a channel with its last subscriber', async () => {
    const { views, told, loaded } = open();
    await loaded(room, ok(1, 'ada'));
    views.setInterest(app, room, false);
    expect(views.heard(app, room, heardText(2, ['bob']))).toBe(true);
    expect([views.size, told, views.versionOf(app, room), views.membersOf(app, room).size]).toEqual([
      0,
      [],
      0,
      0,
    ]);
  });

  test('drop what was read for a channel that was left meanwhile', async () => {
    const { views, told, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    views.setInterest(app, room, false);
    await answer(ok(1, 'ada'));
    expect([views.size, told]).toEqual([0, []]);
  });

  test('read at most 16 channels at a time after a gap of the link', async () => {
    const { link, views, told, reads, loaded, answer } = open();
    for (let i = 0; i < 40; i++) await loaded(`${room}-${i}`, ok(1));
    link.gaps$.next();
    expect([reads.length, views.reading]).toEqual([16, 40]);
    for (let i = 0; i < 40; i++) await answer(ok(2, 'ada'));
    expect([reads.length, views.reading, told.length]).toEqual([0, 0, 40]);
  });

  test('read a channel that is being read once more after a gap of the link', async () => {
    const { link, views, reads, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    link.gaps$.next();
    await answer(ok(1));
    expect(reads.length).toBe(1);
  });
});

describe('a snapshot', () => {
  test('waits for the version that is on its way', async () => {
    const { views, reads, loaded } = open();
    await loaded(room, ok(1, 'ada'));
    const snapshot = usersOf(views.snapshot(app, room, 2));
    expect(views.waiting).toBe(1);
    views.heard(app, room, heardText(2, ['bob']));
    expect(await snapshot).toEqual({ version: 2, users: ['ada', 'bob'] });
    expect([views.waiting, reads.length]).toEqual([0, 0]);
  });

  test('waits for the first reading', async () => {
    const { views, answer } = open();
    views.setInterest(app, room, true);
    const snapshot = usersOf(views.snapshot(app, room, 2));
    views.listening(app, room);
    await answer(ok(2, 'ada'));
    expect(await snapshot).toEqual({ version: 2, users: ['ada'] });
  });

  test('is read from the store after a second, whatever its version is then', async () => {
    const { views, told, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    const snapshot = usersOf(views.snapshot(app, room, 5));
    jest.advanceTimersByTime(1_000);
    await answer(ok(3, 'bob'));
    expect(await snapshot).toEqual({ version: 3, users: ['bob'] });
    expect(told.map(shortly)).toEqual([[3, 'ada', 'bob']]);
  });

  test('of a channel without a view is read from the store', async () => {
    const { views, answer } = open();
    const snapshot = usersOf(views.snapshot(app, room, 0));
    await answer(ok(7, 'ada'));
    expect([await snapshot, views.size]).toEqual([{ version: 7, users: ['ada'] }, 0]);
  });

  test('fails when the script does, and so does one of a channel without a view', async () => {
    const { views, failures, answer } = open();
    const error = new Error('ERR script');
    const once = views.snapshot(app, room, 0);
    await answer(error);
    await expect(once).rejects.toBe(error);
    views.setInterest(app, room, true);
    const snapshot = views.snapshot(app, room, 1);
    views.listening(app, room);
    await answer(error);
    await expect(snapshot).rejects.toBe(error);
    expect(failures).toEqual([error]);
  });

  test('that cannot be understood is a failure', async () => {
    const { views, answer } = open();
    const snapshot = views.snapshot(app, room, 0);
    await answer(['OK', 1, 1, 1, 'ada', '?']);
    await expect(snapshot).rejects.toThrow('"view"');
  });
});

describe('while the store is away', () => {
  test('a snapshot is what is known, and who is here', async () => {
    const { link, views, told, local, loaded } = open();
    await loaded(room, ok(1, 'ada'));
    local.set(room, [member('ada'), member('bob')]);
    link.up$.next(false);
    expect(await usersOf(views.snapshot(app, room, 9))).toEqual({
      version: 1 + 1 / 4096,
      users: ['ada', 'bob'],
    });
    expect(told.map(shortly)).toEqual([[1 + 1 / 4096, '', 'bob']]);
  });

  test('whoever waits is answered', async () => {
    const { link, views, local, loaded } = open();
    await loaded(room, ok(1, 'ada'));
    const snapshot = usersOf(views.snapshot(app, room, 2));
    local.set(room, [member('bob')]);
    link.up$.next(false);
    expect(await snapshot).toMatchObject({ users: ['ada', 'bob'] });
    expect(views.waiting).toBe(0);
  });

  test('a channel of which nothing is known has those who are here', async () => {
    const { link, views, local } = open();
    link.up$.next(false);
    local.set(room, [member('ada')]);
    expect(await usersOf(views.snapshot(app, room, 0))).toEqual({ version: 0, users: ['ada'] });
  });

  test('a reading that is cut off answers what is known, and the channel is read when the store is back', async () => {
    const { link, views, local, answer } = open();
    local.set(room, [member('ada')]);
    views.setInterest(app, room, true);
    const snapshot = usersOf(views.snapshot(app, room, 1));
    views.listening(app, room);
    link.up$.next(false);
    expect(await snapshot).toMatchObject({ users: ['ada'] });
    await answer(new StoreAway('cut'));
    link.up$.next(true);
    jest.advanceTimersByTime(500);
    await answer(ok(4, 'ada', 'bob'));
    expect(await usersOf(views.snapshot(app, room, 4))).toEqual({ version: 4, users: ['ada', 'bob'] });
  });

  test('a reading that took too long although the store is there is made again', async () => {
    const { views, reads, answer } = open();
    views.setInterest(app, room, true);
    views.listening(app, room);
    await answer(new StoreAway('slow'));
    expect(reads.length).toBe(0);
    jest.advanceTimersByTime(500);
    await answer(ok(4, 'ada'));
    expect(views.versionOf(app, room)).toBe(4);
  });

  test('changes here are told, and confirmed by the store without being told again', async () => {
    const { link, views, told, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    link.up$.next(false);
    views.appliedHere(app, room, { removed: ['ada'], added: [member('bob')] });
    link.up$.next(true);
    link.gaps$.next();
    views.heard(app, room, heardText(2, ['bob'], ['ada']));
    jest.advanceTimersByTime(500);
    await answer(ok(2, 'bob'));
    expect(told.map(shortly)).toEqual([[1 + 1 / 4096, 'ada', 'bob']]);
    expect(views.versionOf(app, room)).toBe(2);
  });

  test('what changed here is not shown as undone by a reading, however long the store is not told of it', async () => {
    const { link, views, told, unconfirmed, reads, loaded, answer } = open();
    await loaded(room, ok(1, 'ada', 'bob'));
    link.up$.next(false);
    unconfirmed.add(room);
    views.appliedHere(app, room, { removed: ['bob'], added: [] });
    link.up$.next(true);
    link.gaps$.next();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(reads.length).toBe(0);
    unconfirmed.delete(room);
    await jest.advanceTimersByTimeAsync(100);
    await answer(ok(2, 'ada'));
    expect(told.map(shortly)).toEqual([[1 + 1 / 4096, 'bob', '']]);
  });

  test('what was read before it changed here is not shown', async () => {
    const { link, views, told, reads, loaded, answer } = open();
    await loaded(room, ok(1, 'ada', 'bob'));
    link.gaps$.next();
    link.up$.next(false);
    views.appliedHere(app, room, { removed: ['bob'], added: [] });
    link.up$.next(true);
    await answer(ok(1, 'ada', 'bob'));
    expect(reads.length).toBe(1);
    await answer(ok(2, 'ada'));
    expect(told.map(shortly)).toEqual([[1 + 1 / 4096, 'bob', '']]);
  });

  test('what was announced before it changed here, and is heard late, is not shown', async () => {
    const { link, views, told, unconfirmed, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    link.up$.next(false);
    unconfirmed.add(room);
    views.appliedHere(app, room, { removed: [], added: [member('bob')] });
    views.appliedHere(app, room, { removed: ['bob'], added: [] });
    link.up$.next(true);
    views.heard(app, room, heardText(2, ['bob']));
    unconfirmed.delete(room);
    await jest.advanceTimersByTimeAsync(100);
    views.heard(app, room, heardText(3, [], ['bob']));
    await answer(ok(3, 'ada'));
    expect(told.map(shortly)).toEqual([
      [1 + 1 / 4096, '', 'bob'],
      [1 + 2 / 4096, 'bob', ''],
    ]);
  });

  test('what changed here is not shown as undone because others say more than the next change, once it is back', async () => {
    const { link, views, told, unconfirmed, reads, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    link.up$.next(false);
    unconfirmed.add(room);
    views.appliedHere(app, room, { removed: [], added: [member('bob')] });
    link.up$.next(true);
    views.heard(app, room, heardText(3, ['cleo']));
    expect(reads.length).toBe(0);
    unconfirmed.delete(room);
    await jest.advanceTimersByTimeAsync(100);
    await answer(ok(4, 'ada', 'cleo', 'bob'));
    expect(told.map(shortly)).toEqual([
      [1 + 1 / 4096, '', 'bob'],
      [4, '', 'cleo'],
    ]);
  });

  test('a channel that is new then is read when the store has confirmed what changed here', async () => {
    const { link, views, unconfirmed, reads, local, answer } = open();
    link.up$.next(false);
    unconfirmed.add(room);
    views.setInterest(app, room, true);
    local.set(room, [member('ada')]);
    views.appliedHere(app, room, { removed: [], added: [member('ada')] });
    link.up$.next(true);
    views.listening(app, room);
    const snapshot = usersOf(views.snapshot(app, room, 0));
    expect(reads.length).toBe(0);
    unconfirmed.delete(room);
    await jest.advanceTimersByTimeAsync(100);
    await answer(ok(1, 'ada'));
    expect(await snapshot).toEqual({ version: 1, users: ['ada'] });
  });

  test('what others did meanwhile is told when the store is back', async () => {
    const { link, views, told, loaded, answer } = open();
    await loaded(room, ok(1, 'ada'));
    link.up$.next(false);
    link.up$.next(true);
    link.gaps$.next();
    await answer(ok(8, 'eve'));
    expect(told.map(shortly)).toEqual([[8, 'ada', 'eve']]);
    expect(views.versionOf(app, room)).toBe(8);
  });

  test('changes of a channel nobody is interested in are not told', () => {
    const { link, views, told } = open();
    link.up$.next(false);
    views.appliedHere(app, room, { removed: [], added: [member('bob')] });
    expect(told).toEqual([]);
  });
});

test('an announcement that is not taken holds up nothing', async () => {
  const link = new FakeLink();
  const failures: unknown[] = [];
  const replies = new Map<string, Reply>([[room, ok(1)]]);
  link.answer = ({ args }: Call) => replies.get(String(args[1]))!;
  const error = new Error('fan-out');
  const views = new ChannelViews({
    link,
    announce: () => {
      throw error;
    },
    localMembers: () => [],
    isUnconfirmed: () => false,
    hasMembers: () => true,
    isCounted: () => false,
    onFailed: (failure) => failures.push(failure),
  });
  views.setInterest(app, room, true);
  views.listening(app, room);
  await settled();
  views.heard(app, room, heardText(2, ['ada']));
  expect([views.versionOf(app, room), failures]).toEqual([2, [error]]);
});
