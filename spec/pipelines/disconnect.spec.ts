import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { filter, map, timer } from 'rxjs';
import { Connection } from '../../lib/channels/connection.ts';
import { SpillwayError } from '../../lib/errors/spillway-error.ts';
import type { LifecycleRecorder } from '../../lib/membership/lifecycle-recorder.ts';
import { MemoryMembershipStore } from '../../lib/membership/memory.ts';
import type { MembershipAnnouncement, MembershipChange } from '../../lib/membership/membership-store.ts';
import { createMemoryStores, type CreateStores } from '../../lib/stores.ts';
import { defineStage } from '../../lib/stages/define-stage.ts';
import type { ConnectionSettled, Departed, DisconnectCause } from '../../lib/stages/events.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { disconnect } from '../../pipelines/disconnect.ts';
import { marbles } from '../lib/flow/marbles.ts';
import { RecordingTransport } from '../lib/recording-transport.ts';
import { specParts } from '../lib/spec-parts.ts';
import { promised } from '../lib/stages/event-run.ts';
import { createLateStores } from '../support/late-stores.ts';
import { otherApp, testApp } from '../support/server.ts';
import { type Client, holds, nobody, runNode, type RunningNodeOptions, storyOf } from './running-node.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

/** Long enough for every batch and every late answer. */
const settle = () => jest.advanceTimersByTimeAsync(5_000);

test('the story of a departure is this one', () => {
  expect(storyOf(disconnect)).toEqual([
    'mark',
    'settle',
    'closed-connections',
    '[disconnect:settled]',
    'record',
  ]);
});

describe('departures are settled in batches', () => {
  /** Each letter is a connection of its own that departs: capitals are of the other app. */
  function expectBatches(source: string, expected: string, cleanup: object, values: Record<string, string>) {
    jest.useRealTimers();
    // The turns of the event loop take no virtual time.
    const turns = jest.spyOn(globalThis, 'setImmediate');
    turns.mockImplementation(((work: () => void) => timer(0).subscribe(work)) as never);
    marbles(({ hot, expectObservable, flush }) => {
      const { parts } = specParts({ config: { cleanup: { concurrency: 1, ...cleanup } } });
      let sockets = 0;
      const departures$ = hot(source).pipe(
        map((letter): Departed => {
          const app = parts.apps.byId(letter === letter.toUpperCase() ? 'app-2' : 'app-1')!;
          const connection = new Connection(`1.${++sockets}`, app, new RecordingTransport(), 0);
          return { kind: 'connection', connection, cause: 'client', closeCode: 1000 };
        }),
      );
      const sizes$ = parts.telemetry.events$.pipe(
        filter(({ name }) => name === 'cleanup.flushed'),
        map(({ fields }) => `${(fields as { batchSize: number }).batchSize}`),
      );
      expectObservable(sizes$).toBe(expected, values);
      runPipeline(disconnect, departures$, parts, { signal: new AbortController().signal });
      flush();
    });
  }

  test('that close by size', () => {
    const source = '   -a-b-c-d---';
    const expected = ' ---x---x---';
    expectBatches(source, expected, { batchSize: 2, batchWindowMs: 50 }, { x: '2' });
  });

  test('that close by time', () => {
    const source = '   -a-b--------c-----';
    const expected = ' ------x----------y-';
    expectBatches(source, expected, { batchSize: 9, batchWindowMs: 5 }, { x: '2', y: '1' });
  });

  test('that close when the server stops', () => {
    const source = '   -a-b-|';
    const expected = ' -----x';
    expectBatches(source, expected, { batchSize: 9, batchWindowMs: 50 }, { x: '2' });
  });

  test('that never hold two apps', () => {
    const source = '   -a-A-b-B----';
    const expected = ' -----x-x----';
    expectBatches(source, expected, { batchSize: 2, batchWindowMs: 50 }, { x: '2' });
  });

  test('or each at once', () => {
    const source = '   -a-b-(cd)-';
    const expected = ' -x-x-(xx)-';
    expectBatches(source, expected, { mode: 'inline' }, { x: '1' });
  });

  test('or at once when the queue is full', () => {
    const source = '   -a-b-c-------';
    const expected = ' ---x-x-x-----';
    expectBatches(source, expected, { queueCapacity: 1, batchSize: 9, batchWindowMs: 6 }, { x: '1' });
  });
});

function open(options: RunningNodeOptions = {}) {
  const settledOnes: ConnectionSettled[] = [];
  const look = defineStage({ name: 'look', slot: 'disconnect:settled', tap: (one) => settledOnes.push(one) });
  const node = runNode({ ...options, stages: [look] });
  const ended = (): readonly string[] => node.log.all('connection.closed').map(({ socketId }) => socketId);
  return { ...node, settledOnes, ended };
}

const causes: readonly DisconnectCause[] = [
  'client',
  'error',
  'pong-timeout',
  'slow',
  'limit',
  'terminated',
  'drain',
  'unauthorised',
  'stage',
];

describe('a connection that ends for every cause at once', () => {
  async function allAtOnce(first: DisconnectCause) {
    const node = open();
    const client = node.open();
    client.subscribe('room');
    const applied = jest.spyOn(node.parts.membership, 'apply');
    const release = jest.spyOn(node.parts.quota, 'release');
    for (const cause of [first, ...causes]) node.close(client, cause, 1000);
    node.parts.disconnect(client.connection, 'terminated', new SpillwayError('connection.terminated'));
    await settle();
    return { ...node, client, applied, release };
  }

  test.each(causes)('is recorded once, for the first: %s', async (cause) => {
    const { log } = await allAtOnce(cause);
    expect(log.all('connection.closed').map((closed) => closed.cause)).toEqual([cause]);
  });

  test('is settled once', async () => {
    const { applied, release } = await allAtOnce('client');
    expect([applied.mock.calls.flat(2).length, release.mock.calls]).toEqual([1, [['app-1', 1]]]);
  });

  test('is told to the slot once', async () => {
    const { settledOnes } = await allAtOnce('slow');
    expect(settledOnes.length).toBe(1);
  });
});

describe('a connection that the server ends', () => {
  const error = new SpillwayError('connection.terminated');

  test('is told why, then closed', () => {
    const { open: connect, parts } = open();
    const client = connect();
    parts.disconnect(client.connection, 'terminated', error);
    expect([client.told.at(-1), client.transport.closes]).toEqual(['pusher:error', [[4009, error.message]]]);
  });

  test('because it reads too slowly is told nothing', () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.transport.take();
    parts.disconnect(client.connection, 'slow', new SpillwayError('connection.slow', { limitBytes: 1 }));
    expect([client.transport.frames, client.transport.closes.length]).toEqual([[], 1]);
  });

  test('is closed once', () => {
    const { open: connect, parts } = open();
    const client = connect();
    for (let i = 0; i < 2; i++) parts.disconnect(client.connection, 'terminated', error);
    expect(client.transport.closes.length).toBe(1);
  });
});

describe('from the moment it is marked a connection', () => {
  test('is in no registry, before any store was told', () => {
    const { open: connect, close, parts } = open();
    const client = connect();
    client.subscribe('presence-x', 'ada');
    client.signIn('ada');
    close(client);
    const { connections, subscriptions, signedIn } = holds({ parts });
    expect({ connections, subscriptions, signedIn }).toEqual({
      connections: 0,
      subscriptions: 0,
      signedIn: 0,
    });
  });

  test('is sent nothing', () => {
    const { open: connect, close, parts } = open();
    const client = connect();
    client.subscribe('room');
    parts.fanout.publish(parts.channels.find('app-1', 'room')!, 'late');
    close(client);
    jest.runOnlyPendingTimers();
    expect(client.transport.frames).not.toContain('late');
  });
});

describe('a thousand connections that end at once', () => {
  const count = 1_000;

  async function massLeave(cleanup: object) {
    const node = open({ config: { cleanup }, app: { presence: { maxMembers: 0 } } });
    const clients = Array.from({ length: count }, (_, i) => {
      const client = node.open();
      client.subscribe('presence-x', `user-${i}`);
      client.subscribe('room');
      return client;
    });
    const sockets = clients.map(({ socketId }) => socketId);
    for (const client of clients) node.close(client);
    await settle();
    return { ...node, sockets };
  }

  describe.each([
    ['with a queue for one', { queueCapacity: 1 }, { 'queue-full': 11, 'breaker-open': count - 12 }],
    ['with a queue for all', {}, {}],
    ['each settled at once', { mode: 'inline' }, {}],
  ])('%s', (_, cleanup, fallbacks) => {
    let after: Awaited<ReturnType<typeof massLeave>>;
    beforeAll(async () => {
      jest.useFakeTimers();
      after = await massLeave(cleanup);
    });

    test('leave nothing in any registry', () => {
      const { parts } = after;
      expect([holds({ parts }), parts.membership.channels('app-1', '')]).toEqual([nobody, []]);
    });

    test('are each recorded once', () => {
      const { ended, sockets } = after;
      expect([...ended()].sort()).toEqual([...sockets].sort());
    });

    test('are counted by why they were settled alone', () => {
      const reasons: Record<string, number> = {};
      for (const { reason } of after.log.all('cleanup.fallback'))
        reasons[reason] = (reasons[reason] ?? 0) + 1;
      expect(reasons).toEqual(fallbacks);
    });

    test('vacate each channel once', () => {
      const vacated = after.log.all('channel.vacated').map(({ channel }) => channel);
      expect(vacated.sort()).toEqual(['presence-x', 'room']);
    });
  });

  test('with a queue for one tell each member’s leave to who stays, once', async () => {
    const node = open({ config: { cleanup: { queueCapacity: 1 } }, app: { presence: { maxMembers: 0 } } });
    const watcher = node.open();
    watcher.subscribe('presence-x', 'watcher');
    const clients = Array.from({ length: count }, (_, i) => {
      const client = node.open();
      client.subscribe('presence-x', `user-${i}`);
      return client;
    });
    await settle();
    watcher.transport.take();
    for (const client of clients) node.close(client);
    await settle();
    const left = watcher.transport.frames.map((text) => {
      const { data } = JSON.parse(text) as { data: string };
      return (JSON.parse(data) as { user_id: string }).user_id;
    });
    expect([...left].sort()).toEqual(clients.map((_, i) => `user-${i}`).sort());
  });
});

describe('what a connection held', () => {
  test('gives its place of the quota back', async () => {
    const { open: connect, close } = open({ app: { maxConnections: 1 } });
    close(connect());
    await settle();
    expect(connect().told).toEqual(['pusher:connection_established']);
  });

  test('is signed out', async () => {
    const { open: connect, close, parts } = open();
    const client = connect();
    client.signIn('ada');
    close(client);
    await settle();
    expect(parts.users.states('app-1', ['ada'])).toMatchObject([{ online: false }]);
  });

  test('is watched no more', async () => {
    const { open: connect, close, parts } = open({ app: { watchlist: true } });
    const client = connect();
    client.signIn('ada', ['bob']);
    const before = parts.watchlists.size;
    close(client);
    await settle();
    expect([before, parts.watchlists.size]).toEqual([1, 0]);
  });

  test('is recorded with how long it was there', async () => {
    const { open: connect, close, clock, log } = open();
    const client = connect();
    client.subscribe('room');
    clock.advance(7_000);
    close(client, 'error', 1006);
    await settle();
    expect(log.all('connection.closed')).toEqual([
      {
        appId: 'app-1',
        socketId: client.socketId,
        cause: 'error',
        closeCode: 1006,
        durationMs: 7_000,
        subscriptions: 1,
      },
    ]);
  });
});

describe('an unsubscribe', () => {
  test('ends no connection', async () => {
    const { open: connect, ended, settledOnes } = open();
    const client = connect();
    client.subscribe('room');
    client.unsubscribe('room');
    await settle();
    expect([ended(), settledOnes]).toEqual([[], []]);
  });

  test('brings what was published before, and nothing after', () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    client.transport.take();
    const channel = parts.channels.find('app-1', 'room')!;
    parts.fanout.publish(channel, 'before');
    client.unsubscribe('room');
    parts.fanout.publish(channel, 'after');
    jest.runOnlyPendingTimers();
    expect(client.transport.frames).toEqual(['before']);
  });

  test('that is on its way to the store is not carried by a join again', async () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    const apply = parts.membership.apply.bind(parts.membership);
    const applied = jest
      .spyOn(parts.membership, 'apply')
      .mockImplementationOnce((changes) => promised<void>().promise.then(() => apply(changes)));
    client.unsubscribe('room');
    await jest.advanceTimersByTimeAsync(parts.config.cleanup.batchWindowMs);
    client.subscribe('room');
    const kinds = applied.mock.calls.map(([changes]) => changes.map(({ kind }) => kind));
    expect(kinds).toEqual([['leave'], ['join']]);
  });

  test('that a join carried in vain is carried by the next join', async () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    const applied = jest.spyOn(parts.membership, 'apply').mockImplementationOnce(() => {
      throw new Error('away');
    });
    client.unsubscribe('room');
    client.subscribe('room');
    client.subscribe('room');
    await settle();
    const kinds = applied.mock.calls.map(([changes]) => changes.map(({ kind }) => kind));
    expect(kinds).toEqual([
      ['leave', 'join'],
      ['leave', 'join'],
    ]);
  });

  test('that waits for its batch is carried by a join before it', async () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    const applied = jest.spyOn(parts.membership, 'apply');
    client.unsubscribe('room');
    client.subscribe('room');
    await settle();
    const kinds = applied.mock.calls.map(([changes]) => changes.map(({ kind }) => kind));
    expect(kinds).toEqual([['leave', 'join']]);
  });

  test('of a connection that turns out to be too slow counts once', async () => {
    const { open: connect, parts, log } = open();
    const client = connect();
    client.subscribe('room');
    parts.fanout.publish(parts.channels.find('app-1', 'room')!, 'before');
    client.transport.queuedBytes = parts.config.delivery.maxBufferedBytes + 1;
    client.unsubscribe('room');
    await settle();
    expect([holds({ parts }), log.all('connection.closed').map(({ cause }) => cause)]).toEqual([
      nobody,
      ['slow'],
    ]);
  });
});

describe('the cleanup queue', () => {
  test('that was full too often is skipped for thirty seconds, then used again: both are told', () => {
    const { open: connect, close, clock, log } = open({ config: { cleanup: { queueCapacity: 1 } } });
    const drop = (count: number): void => {
      for (let i = 0; i < count; i++) close(connect());
    };
    drop(13);
    jest.advanceTimersByTime(50);
    clock.advance(30_000);
    drop(1);
    expect([log.all('cleanup.breaker-opened'), log.all('cleanup.breaker-closed').length]).toEqual([
      [{ queued: 1 }],
      1,
    ]);
  });
});

test('departures with many subscriptions share a batch with fewer others', async () => {
  const { open: connect, close, log } = open({ config: { cleanup: { batchSize: 4 } } });
  const clients = Array.from({ length: 4 }, () => connect());
  for (const client of clients.slice(2)) for (let i = 0; i < 48; i++) client.subscribe(`room-${i}`);
  for (const client of clients) close(client);
  await settle();
  expect(log.all('cleanup.flushed').map(({ batchSize, leaves }) => [batchSize, leaves])).toEqual([
    [3, 48],
    [1, 48],
  ]);
});

describe('a batch of 64 departures', () => {
  function batchOf64() {
    const node = open({ config: { cleanup: { batchSize: 64 } } });
    const clients = Array.from({ length: 64 }, (_, i) => {
      const client = node.open();
      client.subscribe('room');
      client.subscribe('news');
      client.signIn(`user-${i}`);
      return client;
    });
    return { ...node, clients };
  }

  test('asks each store once', () => {
    const { parts, clients, close } = batchOf64();
    const apply = jest.spyOn(parts.membership, 'apply');
    const release = jest.spyOn(parts.quota, 'release');
    const signOut = jest.spyOn(parts.users, 'apply');
    for (const client of clients) close(client);
    jest.advanceTimersByTime(1);
    const sizes = [apply.mock.calls[0]?.[0].length, signOut.mock.calls[0]?.[0].length];
    const calls = [apply, release, signOut].map(({ mock }) => mock.calls.length);
    expect([calls, sizes, release.mock.calls]).toEqual([[1, 1, 1], [128, 64], [['app-1', 64]]]);
  });

  test('is the most that is settled in one turn of the event loop, however many depart', () => {
    const { open: connect, close, log, ended } = open({ config: { cleanup: { batchSize: 64 } } });
    const clients = Array.from({ length: 1_000 }, () => connect());
    for (const client of clients) close(client);
    expect(ended()).toEqual([]);
    jest.advanceTimersByTime(0);
    const inOneTurn = [ended().length];
    for (let done = ended().length; done < clients.length; done = ended().length) {
      jest.advanceTimersByTime(1);
      inOneTurn.push(ended().length - done);
    }
    expect(Math.max(...inOneTurn)).toBe(64);
    expect(log.all('cleanup.flushed').map(({ batchSize }) => batchSize)).toEqual([
      ...Array.from({ length: 15 }, () => 64),
      40,
    ]);
  });
});

/** Stores whose membership answers each call when the spec says so; `calls` has what each call carried. */
function heldMembership({ parts }: Pick<ReturnType<typeof open>, 'parts'>) {
  const apply = parts.membership.apply.bind(parts.membership);
  const calls: (readonly MembershipChange[])[] = [];
  const answers: (() => void)[] = [];
  jest.spyOn(parts.membership, 'apply').mockImplementation((changes) => {
    calls.push(changes);
    const { promise, resolve } = promised<void>();
    answers.push(() => resolve());
    return promise.then(() => apply(changes));
  });
  const answerAll = async (): Promise<void> => {
    for (let answer = answers.shift(); answer !== undefined; answer = answers.shift()) {
      answer();
      await jest.advanceTimersByTimeAsync(1);
    }
  };
  return { calls, answers, answerAll };
}

describe('while batches wait for a slot', () => {
  const cleanup = { batchSize: 10, concurrency: 1 };

  test('the storms of two apps are settled in turn', async () => {
    const node = open({ config: { cleanup } });
    const drop = (count: number, key: string): void => {
      const clients = Array.from({ length: count }, () => node.open(key));
      for (const client of clients) client.subscribe('room');
      dropping.push(...clients);
    };
    const dropping: Client[] = [];
    drop(300, testApp.key);
    drop(100, otherApp.key);
    const { calls, answerAll } = heldMembership(node);
    for (const client of dropping) node.close(client);
    await jest.advanceTimersByTimeAsync(1);
    await answerAll();
    const turns = calls.map(([change]) => (change?.appId === 'app-1' ? '1' : '2')).join('');
    expect(turns).toBe(`${'12'.repeat(10)}${'1'.repeat(20)}`);
  });

  test('departures from presence channels go before the others of their app', async () => {
    const node = open({ config: { cleanup } });
    const clients = Array.from({ length: 40 }, (_, i) => {
      const client = node.open();
      if (i < 30) client.subscribe('room');
      else client.subscribe('presence-x', `user-${i}`);
      return client;
    });
    await settle();
    const { calls, answerAll } = heldMembership(node);
    for (const client of clients) node.close(client);
    await jest.advanceTimersByTimeAsync(1);
    await answerAll();
    expect(calls.map(([change]) => change?.channel)).toEqual(['presence-x', 'room', 'room', 'room']);
  });
});

const storeCalls = ['membership', 'quota', 'users'] as const;
const failures = [
  [
    'throws',
    () => {
      throw new Error('away');
    },
  ],
  ['rejects', () => Promise.reject(new Error('away'))],
] as const;

describe.each(storeCalls.flatMap((store) => failures.map(([how, fail]) => [store, how, fail] as const)))(
  'a batch whose %s store %s',
  (store, _, fail) => {
    async function failOnce() {
      const node = open({ app: { maxConnections: 2 }, config: { cleanup: { mode: 'inline' } } });
      const [stays, leaves] = [node.open(), node.open()];
      for (const client of [stays, leaves]) client.subscribe('presence-x', client.socketId);
      await settle();
      leaves.signIn('ada');
      const { membership, quota, users } = node.parts;
      const call = {
        membership: jest.spyOn(membership, 'apply'),
        quota: jest.spyOn(quota, 'release'),
        users: jest.spyOn(users, 'apply'),
      }[store] as jest.Mock<() => unknown>;
      call.mockImplementationOnce(fail);
      node.close(leaves);
      await jest.advanceTimersByTimeAsync(99);
      const before = node.ended();
      await jest.advanceTimersByTimeAsync(1 + node.parts.config.cleanup.batchWindowMs);
      return { ...node, stays, leaves, before };
    }

    test('is told in the log and settled with the next batch 100 ms later, recorded once', async () => {
      const { log, before, ended, leaves, settledOnes } = await failOnce();
      expect(log.all('cleanup.failed')).toEqual([
        { batchSize: 1, attempt: 1, pauseMs: 100, err: new Error('away') },
      ]);
      expect([before, ended(), settledOnes.length]).toEqual([[], [leaves.socketId], 1]);
    });

    test('has left and is signed out then', async () => {
      const { parts, stays, log } = await failOnce();
      expect(log.all('user.signed-out').length).toBe(1);
      expect(parts.membership.users('app-1', 'presence-x')).toEqual([stays.socketId]);
      expect(parts.users.states('app-1', ['ada'])).toMatchObject([{ online: false }]);
    });

    test('gives its place back once', async () => {
      const { open: connect } = await failOnce();
      const told = [connect(), connect()].map((client) => client.told[0]);
      expect(told).toEqual(['pusher:connection_established', 'pusher:error']);
    });
  },
);

describe('a batch whose store fails', () => {
  test('leaves its leaves to a join that comes before its next attempt', async () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    const applied = jest.spyOn(parts.membership, 'apply').mockImplementationOnce(() => {
      throw new Error('away');
    });
    client.unsubscribe('room');
    await jest.advanceTimersByTimeAsync(parts.config.cleanup.batchWindowMs);
    client.subscribe('room');
    await settle();
    const kinds = applied.mock.calls.map(([changes]) => changes.map(({ kind }) => kind));
    expect(kinds).toEqual([['leave'], ['leave', 'join']]);
    expect(parts.membership.channel('app-1', 'room')).toMatchObject({ subscriptions: 1 });
  });

  test('takes the leaves back that a join failed to carry', async () => {
    const { open: connect, close, parts } = open();
    const [leaves, joins] = [connect(), connect()];
    leaves.subscribe('room');
    jest.spyOn(parts.membership, 'apply').mockImplementationOnce(() => {
      throw new Error('away');
    });
    close(leaves);
    joins.subscribe('room');
    await settle();
    expect([parts.membership.channels('app-1', ''), holds({ parts }).channels]).toEqual([[], 0]);
  });

  test('and a join that both carry a leave tell its end once', async () => {
    const node = open();
    const [leaves, joins] = [node.open(), node.open()];
    leaves.subscribe('room');
    const { calls, answerAll } = heldMembership(node);
    node.close(leaves);
    joins.subscribe('room');
    await jest.advanceTimersByTimeAsync(50);
    await answerAll();
    const kinds = calls.map((changes) => changes.map(({ kind }) => kind));
    expect([kinds, node.log.all('subscription.closed').length]).toEqual([[['leave', 'join'], ['leave']], 1]);
    expect(node.parts.membership.channel('app-1', 'room')).toMatchObject({ subscriptions: 1 });
  });

  test('does not hold up the next one', async () => {
    const {
      open: connect,
      close,
      parts,
      ended,
    } = open({
      config: { cleanup: { batchSize: 1, concurrency: 1 } },
    });
    const [unlucky, next] = [connect(), connect()];
    unlucky.subscribe('room');
    jest.spyOn(parts.membership, 'apply').mockImplementationOnce(() => Promise.reject(new Error('away')));
    close(unlucky);
    close(next);
    await jest.advanceTimersByTimeAsync(1);
    expect(ended()).toEqual([next.socketId]);
  });
});

describe('a batch whose store answers late', () => {
  async function late() {
    const node = open({ config: { cleanup: { batchSize: 1, concurrency: 1 } } });
    const [slow, next] = [node.open(), node.open()];
    slow.subscribe('room');
    const { answerAll } = heldMembership(node);
    node.close(slow);
    node.close(next);
    await jest.advanceTimersByTimeAsync(9_999);
    const before = node.ended();
    await jest.advanceTimersByTimeAsync(1);
    return { ...node, slow, next, before, answerAll };
  }

  test('gives its slot to the next one after ten seconds, and says so', async () => {
    const { before, ended, next, log } = await late();
    expect([before, ended()]).toEqual([[], [next.socketId]]);
    expect(log.all('cleanup.late')).toEqual([{ batchSize: 1, timeoutMs: 10_000 }]);
  });

  test('is finished by that answer: leaves, slot and record once', async () => {
    const { answerAll, ended, slow, next, settledOnes, parts, log } = await late();
    await answerAll();
    await settle();
    expect([ended(), settledOnes.length]).toEqual([[next.socketId, slow.socketId], 2]);
    expect([holds({ parts }), log.all('channel.vacated').length]).toEqual([nobody, 1]);
  });
});

describe('on the batched path', () => {
  test('watchers are told that a user went offline', async () => {
    const { open: connect, close } = open({ app: { watchlist: true } });
    const [watcher, bob] = [connect(), connect()];
    bob.signIn('bob');
    watcher.signIn('ada', ['bob']);
    watcher.transport.take();
    close(bob);
    await settle();
    const frames = watcher.transport.frames.map((text) => JSON.parse(text) as { readonly data: string });
    expect(frames.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { events: [{ name: 'offline', user_ids: ['bob'] }] },
    ]);
  });

  test('subscribers are told how many are left', async () => {
    const { open: connect, close } = open({ app: { subscriptionCount: true } });
    const [stays, ...others] = Array.from({ length: 6 }, () => connect());
    for (const client of [stays!, ...others]) client.subscribe('room');
    await settle();
    stays!.transport.take();
    for (const client of others) close(client);
    await settle();
    const last = JSON.parse(stays!.transport.frames.at(-1) ?? '{}') as { readonly data: string };
    expect(JSON.parse(last.data)).toEqual({ subscription_count: 1 });
  });
});

describe.each([
  ['prompt', createMemoryStores],
  ['late', createLateStores(7)],
] as const)(
  'a client that subscribes again while its old socket is cleaned up, with %s stores,',
  (_, createStores) => {
    test.each([0, 1, 25, 49, 51])('%i ms after it closed stays in the channel', async (ms) => {
      const { open: connect, close, parts } = open({ createStores });
      const connected = async (): Promise<Client> => {
        const client = connect();
        await settle();
        return client;
      };
      const [old, fresh] = [await connected(), await connected()];
      old.subscribe('presence-x', 'ada');
      await settle();
      close(old);
      await jest.advanceTimersByTimeAsync(ms);
      fresh.subscribe('presence-x', 'ada');
      await settle();
      expect(await stored(parts.membership.users('app-1', 'presence-x'))).toEqual(['ada']);
      expect(await stored(parts.membership.channel('app-1', 'presence-x'))).toMatchObject({
        subscriptions: 1,
      });
      expect(
        [...parts.channels.find('app-1', 'presence-x')!.subscriptions].map((s) => s.connection.socketId),
      ).toEqual([fresh.socketId]);
    });
  },
);

describe('10,000 times unsubscribe and subscribe on one socket', () => {
  const pairs = 10_000;

  /** Memory stores whose lifecycle is written down instead of being sent on. */
  function recordingStores(told: string[]): CreateStores {
    const noteChannel = (what: string) => (_: string, channel: string) => {
      told.push(`${what} ${channel}`);
    };
    const noteMember = (what: string) => (_: string, channel: string, userId: string) => {
      told.push(`${what} ${channel} ${userId}`);
    };
    const recorder: LifecycleRecorder = {
      occupied: noteChannel('occupied'),
      vacated: noteChannel('vacated'),
      memberAdded: noteMember('added'),
      memberRemoved: noteMember('removed'),
      counted: () => undefined,
    };
    return (config, deliver, tools) => {
      const stores = createMemoryStores(config, deliver, tools);
      const announce = (announcement: MembershipAnnouncement): void => {
        void stores.bus.publish({ kind: 'membership', ...announcement });
      };
      return { ...stores, membership: new MemoryMembershipStore(announce, recorder) };
    };
  }

  test('inside one window end subscribed, and tell nobody outside more than that the channel is occupied', () => {
    const told: string[] = [];
    const { open: connect, parts } = open({
      app: { subscriptionCount: true },
      createStores: recordingStores(told),
    });
    const [observer, client] = [connect(), connect()];
    for (const one of [observer, client]) one.subscribe('room');
    for (let i = 0; i < pairs; i++) {
      client.unsubscribe('room');
      client.subscribe('room');
    }
    jest.advanceTimersByTime(1_000);
    const { membership, channels } = parts;
    expect(membership.channel('app-1', 'room')).toMatchObject({ subscriptions: 2 });
    expect([...channels.find('app-1', 'room')!.subscriptions].map(({ connection }) => connection)).toEqual([
      observer.connection,
      client.connection,
    ]);
    expect(client.told.filter((event) => event.includes('subscription_succeeded')).length).toBe(pairs + 1);
    const last = JSON.parse(observer.transport.frames.at(-1) ?? '{}') as { readonly data: string };
    expect([JSON.parse(last.data), told]).toEqual([{ subscription_count: 2 }, ['occupied room']]);
  });

  test('of a presence channel end as a member: for the store, for the observer, and in what is recorded', async () => {
    const told: string[] = [];
    const { open: connect, parts } = open({
      config: { cleanup: { announceWindowMs: 1 } },
      createStores: recordingStores(told),
    });
    const [observer, client] = [connect(), connect()];
    observer.subscribe('presence-x', 'observer');
    client.subscribe('presence-x', 'ada');
    for (let i = 0; i < pairs; i++) {
      client.unsubscribe('presence-x');
      client.subscribe('presence-x', 'ada');
    }
    await jest.advanceTimersByTimeAsync(60_000);
    expect(parts.membership.users('app-1', 'presence-x')).toEqual(['observer', 'ada']);
    expect(client.connection.subscriptions.size).toBe(1);
    const seen = observer.told
      .filter((event) => event.includes(':member_'))
      .map((event) => event.split(' ')[0]);
    expect(seen.at(-1)).toBe('pusher_internal:member_added');
    expect(seen.every((event, i) => event !== seen[i + 1])).toBe(true);
    expect(told.slice(0, 3)).toEqual([
      'occupied presence-x',
      'added presence-x observer',
      'added presence-x ada',
    ]);
    expect(new Set(told.slice(3).map((what, i) => `${i % 2} ${what}`))).toEqual(
      new Set(['0 removed presence-x ada', '1 added presence-x ada']),
    );
    expect(told.length).toBe(3 + 2 * pairs);
  });

  test('of a presence channel tell endpoints nothing beyond the first occupied and added', async () => {
    const webhook = {
      id: 'hook',
      url: 'http://127.0.0.1:1/',
      events: ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'],
    };
    const { open: connect, parts } = open({
      app: { webhooks: [webhook] },
      config: { cleanup: { announceWindowMs: 1 } },
    });
    await parts.outbox.open(parts.endpoints.all());
    const client = connect();
    client.subscribe('presence-x', 'ada');
    for (let i = 0; i < pairs; i++) {
      client.unsubscribe('presence-x');
      client.subscribe('presence-x', 'ada');
    }
    await jest.advanceTimersByTimeAsync(60_000);
    const backlogs = await parts.outbox.backlogs();
    expect(backlogs.map(({ events }) => events)).toEqual([2]);
  });
});

const step = fc.record({
  do: fc.constantFrom('join', 'join', 'leave', 'close', 'wait'),
  socket: fc.nat(3),
  channel: fc.constantFrom('presence-x', 'presence-y'),
  ms: fc.nat(30),
});

/** The members of each channel, from what was announced; undefined once something was told twice or not at all. */
class Fold {
  readonly members = new Map<string, Set<string>>();
  readonly mistakes: MembershipAnnouncement[] = [];
  readonly versions = new Map<string, number>();

  add(announcement: MembershipAnnouncement): void {
    const { channel, removed, added, version } = announcement;
    const members = this.members.get(channel) ?? new Set();
    this.members.set(channel, members);
    const isNewer = version > (this.versions.get(channel) ?? 0);
    const isRight =
      removed.every((id) => members.delete(id)) &&
      added.every(({ userId }) => !members.has(userId) && members.add(userId));
    if (!isNewer || !isRight) this.mistakes.push(announcement);
    this.versions.set(channel, version);
  }
}

describe.each([
  ['prompt', () => createMemoryStores],
  ['late', (seed: number) => createLateStores(seed)],
])('with %s stores', (_, createStores) => {
  test('a leave never undoes a later join: stores, sockets and announcements agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(1_000), async (steps, seed) => {
        const fold = new Fold();
        const node = runNode({
          config: { cleanup: { batchSize: 3, batchWindowMs: 10, queueCapacity: 2, concurrency: 2 } },
          createStores: (config, deliver, tools) =>
            createStores(seed)(
              config,
              (message) => {
                if (message.kind === 'membership') fold.add(message);
                deliver(message);
              },
              tools,
            ),
        });
        const clients = new Map<number, Client>();
        const wanted = new Map<Client, Set<string>>();
        for (const { do: what, socket, channel, ms } of steps) {
          const client = clients.get(socket) ?? node.open();
          clients.set(socket, client);
          await jest.advanceTimersByTimeAsync(what === 'wait' ? ms : 0);
          if (client.transport.connection === undefined) continue;
          const channels = wanted.get(client) ?? new Set();
          wanted.set(client, channels);
          if (what === 'join') {
            client.subscribe(channel, `user-${socket}`);
            channels.add(channel);
          }
          if (what === 'leave') {
            client.unsubscribe(channel);
            channels.delete(channel);
          }
          if (what === 'close') {
            node.close(client);
            clients.delete(socket);
            channels.clear();
          }
        }
        await settle();
        for (const channel of ['presence-x', 'presence-y']) {
          const sockets = [...clients].filter(([, client]) => wanted.get(client)?.has(channel));
          const users = new Set(sockets.map(([socket]) => `user-${socket}`));
          expect(new Set(await stored(node.parts.membership.users('app-1', channel)))).toEqual(users);
          expect(fold.members.get(channel) ?? new Set()).toEqual(users);
          expect(node.parts.channels.find('app-1', channel)?.subscriptions.size ?? 0).toBe(users.size);
        }
        expect(fold.mistakes).toEqual([]);
        for (const client of clients.values()) {
          if (client.transport.connection !== undefined) node.close(client);
        }
        await settle();
        expect(holds(node)).toEqual(nobody);
      }),
      { numRuns: 60 },
    );
  });
});

/** The answer of a store that may be late. */
async function stored<T>(answer: T | PromiseLike<T>): Promise<T> {
  const result = Promise.resolve(answer);
  await settle();
  return result;
}
