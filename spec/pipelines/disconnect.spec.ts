import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { filter, map } from 'rxjs';
import { Connection } from '../../lib/channels/connection.ts';
import { SpillwayError } from '../../lib/errors/spillway-error.ts';
import type { MembershipAnnouncement } from '../../lib/membership/membership-store.ts';
import { createMemoryStores } from '../../lib/parts.ts';
import { defineStage } from '../../lib/stages/define-stage.ts';
import type { ConnectionSettled, Departed, DisconnectCause } from '../../lib/stages/events.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { disconnect } from '../../pipelines/disconnect.ts';
import { marbles } from '../lib/flow/marbles.ts';
import { RecordingTransport } from '../lib/recording-transport.ts';
import { specParts } from '../lib/spec-parts.ts';
import { promised } from '../lib/stages/event-run.ts';
import { createLateStores } from '../support/late-stores.ts';
import { type Client, holds, nobody, runNode, type RunningNodeOptions, storyOf } from './running-node.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
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
    ['with a queue for one', { queueCapacity: 1 }],
    ['with a queue for all', {}],
    ['each settled at once', { mode: 'inline' }],
  ])('%s', (_, cleanup) => {
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

  test('that waits for its batch is carried by a join before it', async () => {
    const { open: connect, parts } = open();
    const client = connect();
    client.subscribe('room');
    const applied = jest.spyOn(parts.membership, 'apply');
    client.unsubscribe('room');
    client.subscribe('room');
    await settle();
    const kinds = applied.mock.calls.map(([changes]) => changes.map(({ kind }) => kind));
    expect(kinds).toEqual([['leave', 'join'], []]);
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

test('a batch whose store fails is told in the log, and the next one is settled', async () => {
  const { open: connect, close, parts, log, ended } = open({ config: { cleanup: { mode: 'inline' } } });
  const [unlucky, next] = [connect(), connect()];
  jest.spyOn(parts.membership, 'apply').mockImplementationOnce(() => {
    throw new Error('away');
  });
  close(unlucky);
  close(next);
  await settle();
  expect([log.all('stage.failed').map(({ stage }) => stage), ended()]).toEqual([['settle'], [next.socketId]]);
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
          createStores: (config, deliver) =>
            createStores(seed)(config, (message) => {
              if (message.kind === 'membership') fold.add(message);
              deliver(message);
            }),
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
