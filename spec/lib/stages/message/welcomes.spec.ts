import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { maxPendingAnnouncements } from '../../../../lib/channels/announce-window.ts';
import type { MembershipSnapshot } from '../../../../lib/membership/membership-store.ts';
import { type Client, runNode } from '../../../pipelines/running-node.ts';
import { promised } from '../event-run.ts';

const room = 'presence-room';
const succeeded = `pusher_internal:subscription_succeeded ${room}`;
const memberAdded = `pusher_internal:member_added ${room}`;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

function open() {
  const node = runNode({ app: { presence: { maxMembers: 0 } } });
  const windowMs = node.parts.config.cleanup.announceWindowMs;
  const wait = async (ms: number): Promise<void> => {
    node.clock.advance(ms);
    await jest.advanceTimersByTimeAsync(ms);
  };
  const join = (userId: string): Client => {
    const client = node.open();
    client.transport.take();
    client.subscribe(room, userId);
    return client;
  };
  return { ...node, windowMs, wait, join, welcomes: node.parts.welcomes };
}

/** A node whose next snapshot is there when the spec says so, and a joiner that waits for it. */
function reading() {
  const opened = open();
  const answer = promised<MembershipSnapshot>();
  const { membership } = opened.parts;
  jest.spyOn(membership, 'snapshot').mockReturnValueOnce(answer.promise);
  const joiner = opened.join('ada');
  const snapshot = (): MembershipSnapshot => membership.snapshot('app-1', room) as MembershipSnapshot;
  return { ...opened, joiner, answer, snapshot };
}

/** The members as the client knows them: its snapshot and what it was told since. */
function known({ transport }: Client): readonly string[] {
  const members = new Set<string>();
  for (const text of transport.frames) {
    const { event, data } = JSON.parse(text) as { readonly event: string; readonly data: string };
    const body = JSON.parse(data) as {
      readonly presence?: { readonly ids: readonly string[] };
      readonly user_id: string;
    };
    for (const id of body.presence?.ids ?? []) members.add(id);
    if (event.endsWith('member_added')) members.add(body.user_id);
    if (event.endsWith('member_removed')) members.delete(body.user_id);
  }
  return [...members].sort();
}

describe('a joiner', () => {
  test('after a quiet window is answered at once', () => {
    expect(open().join('ada').told).toEqual([succeeded]);
  });

  test('in an open window is answered at its end', async () => {
    const { join, wait, windowMs } = open();
    join('ada');
    const joiner = join('bob');
    await wait(windowMs - 1);
    const before = joiner.told;
    await wait(1);
    expect([before, joiner.told, known(joiner)]).toEqual([[], [succeeded], ['ada', 'bob']]);
  });

  test('that waits has its later frames wait behind it, an unsubscribe too', async () => {
    const { join, wait, windowMs, parts } = open();
    join('ada');
    const joiner = join('bob');
    joiner.unsubscribe(room);
    joiner.send({ event: 'pusher:ping' });
    const before = joiner.told;
    await wait(2 * windowMs);
    expect([before, joiner.told]).toEqual([[], [succeeded, 'pusher:pong']]);
    expect(parts.membership.users('app-1', room)).toEqual(['ada']);
  });

  test('that waits and closes is not welcomed, and nothing of it stays', async () => {
    const { join, close, wait, windowMs, welcomes, parts } = open();
    join('ada');
    const joiner = join('bob');
    const waiting = welcomes.waiting;
    close(joiner);
    await wait(2 * windowMs);
    expect([waiting, welcomes.waiting, welcomes.welcomed, joiner.told]).toEqual([1, 0, 1, []]);
    expect(parts.membership.users('app-1', room)).toEqual(['ada']);
  });

  test('that waits and closes leaves the others of its batch welcome', async () => {
    const { join, close, wait, windowMs, welcomes, parts } = open();
    join('ada');
    const [gone, stays] = [join('bob'), join('eve')];
    close(gone);
    // Until its leave is settled, those who come are shown it.
    await wait(4 * windowMs);
    expect([welcomes.welcomed, gone.told, stays.told[0]]).toEqual([2, [], succeeded]);
    expect([parts.subscriptions.size, known(stays)]).toEqual([2, ['ada', 'eve']]);
  });

  test('is never told of itself', async () => {
    const { join, wait, windowMs } = open();
    const [first, second] = [join('ada'), join('bob')];
    await wait(2 * windowMs);
    expect([first.told, second.told]).toEqual([[succeeded, memberAdded], [succeeded]]);
  });
});

describe('a thousand joiners in one window', () => {
  async function crowd() {
    const opened = open();
    const clients = Array.from({ length: 1_000 }, (_, i) => opened.join(`user-${i}`));
    await opened.wait(2 * opened.windowMs);
    return { ...opened, clients };
  }

  test('cost a handful of snapshots', async () => {
    const { welcomes } = await crowd();
    expect([welcomes.welcomed, welcomes.snapshots, welcomes.waiting]).toEqual([1_000, 2, 0]);
  });

  test('are each told first that they are in', async () => {
    const { clients } = await crowd();
    expect(clients.every(({ told }) => told[0] === succeeded)).toBe(true);
  });

  test('are announced to who was there in one write', async () => {
    const { clients } = await crowd();
    const [first] = clients as [Client];
    expect([first.transport.writes.length, known(first).length]).toEqual([2, 1_000]);
  });
});

test('a large snapshot is not written to everybody in one go', async () => {
  const { join, wait, windowMs, welcomes, parts } = open();
  join('ada');
  for (let i = 0; i < 10; i++) join(`user-${i}`);
  const userInfoJson = JSON.stringify({ text: 'x'.repeat(1_000_000) });
  jest
    .spyOn(parts.membership, 'snapshot')
    .mockReturnValueOnce({ version: 11, members: [{ userId: 'ada', userInfoJson }] });
  await wait(windowMs - 1);
  const steps: number[] = [];
  while (welcomes.waiting > 0) {
    const before = welcomes.welcomed;
    jest.advanceTimersToNextTimer();
    if (welcomes.welcomed > before) steps.push(welcomes.welcomed - before);
  }
  expect(steps).toEqual([4, 4, 2]);
});

describe('while a snapshot is read', () => {
  test('nothing reaches the joiner, and what was announced comes behind its success', async () => {
    const { joiner, answer, snapshot, join, wait, windowMs } = reading();
    const read = snapshot();
    join('bob');
    await wait(windowMs);
    const before = joiner.told;
    answer.resolve(read);
    await wait(windowMs);
    expect([before, joiner.told, known(joiner)]).toEqual([[], [succeeded, memberAdded], ['ada', 'bob']]);
  });

  test('what the snapshot has already is not told again', async () => {
    const { joiner, answer, snapshot, join, wait, windowMs } = reading();
    join('bob');
    await wait(windowMs);
    answer.resolve(snapshot());
    await wait(windowMs);
    expect([joiner.told, known(joiner)]).toEqual([[succeeded], ['ada', 'bob']]);
  });

  test('those who come then are the next batch', async () => {
    const { answer, snapshot, join, wait, windowMs, welcomes } = reading();
    const others = [join('bob'), join('eve')];
    await wait(2 * windowMs);
    const before = welcomes.welcomed;
    answer.resolve(snapshot());
    await wait(2 * windowMs);
    expect([before, welcomes.welcomed, welcomes.snapshots]).toEqual([0, 3, 2]);
    expect(others.map(known)).toEqual([
      ['ada', 'bob', 'eve'],
      ['ada', 'bob', 'eve'],
    ]);
  });

  test('more changes than can be held have the joiner shown a newer one', async () => {
    const { joiner, answer, snapshot, parts, wait, windowMs, welcomes } = reading();
    const read = snapshot();
    const change = { appId: 'app-1', channel: room, counted: false, incarnation: 1 };
    for (let i = 0; i <= maxPendingAnnouncements; i++) {
      const member = { userId: `user-${i}`, userInfoJson: undefined };
      void parts.membership.apply([{ ...change, kind: 'join', socketId: `9.${i}`, member, maxMembers: 0 }]);
    }
    await wait(windowMs);
    answer.resolve(read);
    await wait(2 * windowMs);
    expect([joiner.told[0], known(joiner).length]).toEqual([succeeded, maxPendingAnnouncements + 2]);
    expect([welcomes.welcomed, welcomes.waiting]).toEqual([1, 0]);
  });

  test('one that fails undoes the join and tells the joiner', async () => {
    const { joiner, answer, parts, wait, windowMs, welcomes } = reading();
    answer.reject(new Error('away'));
    await wait(2 * windowMs);
    expect([joiner.told, welcomes.waiting, parts.subscriptions.size]).toEqual([
      [`pusher:subscription_error ${room}`, 'pusher:error'],
      0,
      0,
    ]);
    expect(parts.membership.users('app-1', room)).toEqual([]);
  });

  test('one that fails leaves the channel open to the next joiner', async () => {
    const { joiner, answer, wait, windowMs } = reading();
    answer.reject(new Error('away'));
    await wait(2 * windowMs);
    joiner.transport.take();
    joiner.subscribe(room, 'ada');
    await wait(2 * windowMs);
    expect([joiner.told, known(joiner)]).toEqual([[succeeded], ['ada']]);
  });
});
