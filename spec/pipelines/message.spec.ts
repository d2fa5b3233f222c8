import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { firstValueFrom, map, merge, of, Subject } from 'rxjs';
import type { BusMessage } from '../../lib/bus/bus.ts';
import { Connection } from '../../lib/channels/connection.ts';
import { defineStage } from '../../lib/stages/define-stage.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { message } from '../../pipelines/message.ts';
import { marbles } from '../lib/flow/marbles.ts';
import { settled } from '../lib/flow/promises.ts';
import { RecordingTransport } from '../lib/recording-transport.ts';
import { specParts } from '../lib/spec-parts.ts';
import { promised } from '../lib/stages/event-run.ts';
import { createLateStores } from '../support/late-stores.ts';
import { createMemoryStores } from '../../lib/stores.ts';
import { holds, nobody, runNode, storyOf } from './running-node.ts';

const slot = 'message:authorized';
const greeting = 'pusher:connection_established';
const succeeded = (channel: string) => `pusher_internal:subscription_succeeded ${channel}`;

test('the story of a frame is this one', () => {
  expect(storyOf(message)).toEqual([
    'in order by connectionLanes',
    'open',
    'decode',
    'limit-client-events',
    'authorize',
    '[message:authorized]',
    'perform',
  ]);
});

test('every frame is answered when it comes', () => {
  marbles(({ hot, expectObservable, flush }) => {
    const { parts } = specParts();
    const transport = new RecordingTransport();
    transport.connection = new Connection('1.1', parts.apps.byId('app-1')!, transport, 0);
    const answers$ = new Subject<string>();
    transport.onWrite = (texts) => {
      for (const text of texts) answers$.next((JSON.parse(text) as { event: string }).event);
    };
    const frames = {
      p: Buffer.from('{"event":"pusher:ping"}'),
      x: Buffer.from('no json'),
      b: 5,
      s: Buffer.from(subscribe('room')),
    };
    const source = '   -p-x-b-(ss)-p-';
    const expected = ' -p-e-e-(se)-p-';
    const answers = {
      p: 'pusher:pong',
      e: 'pusher:error',
      s: 'pusher_internal:subscription_succeeded',
    };
    const messages$ = hot(source, frames).pipe(map((frame) => ({ transport, frame })));
    expectObservable(merge(answers$)).toBe(expected, answers);
    runPipeline(message, messages$, parts, { signal: new AbortController().signal });
    flush();
  });
});

const subscribe = (channel: string) => JSON.stringify({ event: 'pusher:subscribe', data: { channel } });

describe('a subscriber whose counts come late', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('is told none from before it joined', async () => {
    const late: (() => void)[] = [];
    const { open, parts, clock } = runNode({
      app: { subscriptionCount: true },
      createStores: (config, deliver, tools) =>
        createMemoryStores(config, (told) => late.push(() => deliver(told)), tools),
    });
    const { announceWindowMs } = parts.config.cleanup;
    const [first, second] = [open(), open()];
    first.send(subscribe('room'));
    second.send(subscribe('room'));
    second.transport.take();
    for (const deliver of late) {
      deliver();
      clock.advance(2 * announceWindowMs);
      await jest.advanceTimersByTimeAsync(2 * announceWindowMs);
    }
    const counts = second.transport.frames.map((text) => (JSON.parse(text) as { data: string }).data);
    expect(counts).toEqual(['{"subscription_count":2}']);
  });
});

describe('a subscriber whose node does not hear the others yet', () => {
  test.each([
    ['room', undefined],
    ['presence-room', 'ada'],
    ['#server-to-user-ada', undefined],
  ])('of %s is answered once it does', async (channel, userId) => {
    const heard = new Subject<void>();
    const { open } = runNode({
      createStores: (config, deliver, tools) => {
        const stores = createMemoryStores(config, deliver, tools);
        const bus = {
          publish: (message: BusMessage) => stores.bus.publish(message),
          setInterest: () => undefined,
          listening: () => firstValueFrom(heard),
        };
        return { ...stores, bus };
      },
    });
    const client = open();
    client.signIn('ada');
    client.subscribe(channel, userId);
    await settled();
    const before = client.told.includes(succeeded(channel));
    heard.next();
    await settled();
    expect([before, client.told.includes(succeeded(channel))]).toEqual([false, true]);
  });
});

describe('what is refused', () => {
  test.each([
    ['a binary frame', 12, 'message.binary'],
    ['what is no JSON', '{', 'message.malformed'],
    ['an unknown event', { event: 'pusher:what' }, 'message.unknown-event'],
    [
      'an unsubscribe from where one is not',
      { event: 'pusher:unsubscribe', data: { channel: 'x' } },
      'subscription.unknown',
    ],
  ])('%s leaves the connection open', (_, frame, code) => {
    const { open, log } = runNode();
    const client = open();
    client.send(frame);
    expect([client.told, client.transport.closes, log.all('message.refused').map((e) => e.code)]).toEqual([
      [greeting, 'pusher:error'],
      [],
      [code],
    ]);
  });

  test('as a subscription is told with its channel', () => {
    const client = runNode().open();
    client.send({ event: 'pusher:subscribe', data: { channel: 'private-x' } });
    expect(client.told).toEqual([greeting, 'pusher:subscription_error private-x', 'pusher:error']);
  });

  test('as a second subscription fails no subscription', () => {
    const client = runNode().open();
    client.subscribe('room');
    client.subscribe('room');
    expect(client.told).toEqual([greeting, succeeded('room'), 'pusher:error']);
  });

  test('does not count for the breaker of anybody', () => {
    const { open, log } = runNode();
    const client = open();
    for (let i = 0; i < 20; i++) client.send('{');
    client.send({ event: 'pusher:ping' });
    expect([client.told.at(-1), log.all('stage.tripped')]).toEqual(['pusher:pong', []]);
  });
});

describe('frames', () => {
  test('of a wire that was turned away are nobody’s', () => {
    const client = runNode().open('unknown');
    client.transport.take();
    client.transport.isOpen = true;
    client.send({ event: 'pusher:ping' });
    expect(client.transport.frames).toEqual([]);
  });

  test('of a connection that is closing are nobody’s', () => {
    const { open, close } = runNode();
    const client = open();
    close(client);
    client.send({ event: 'pusher:ping' });
    expect(client.told).toEqual([greeting]);
  });

  test('of one connection are done one after the other, also when a store takes its time', async () => {
    const { open, parts } = runNode();
    const answer = promised<void>();
    const apply = parts.membership.apply.bind(parts.membership);
    jest
      .spyOn(parts.membership, 'apply')
      .mockImplementation((changes) => answer.promise.then(() => apply(changes)));
    const client = open();
    client.subscribe('room');
    client.send({ event: 'pusher:ping' });
    await settled();
    const before = client.told.length;
    answer.resolve();
    await settled();
    expect([before, client.told]).toEqual([1, [greeting, succeeded('room'), 'pusher:pong']]);
  });

  test('that wait too many pause their wire, and it goes on when they are done', async () => {
    const answer = promised<void>();
    const wait = defineStage({
      name: 'wait',
      slot,
      map: (item) => (item.kind === 'pong' ? answer.promise.then(() => item) : item),
    });
    const { open, log } = runNode({ stages: [wait], config: { inbound: { maxWaitingFrames: 16 } } });
    const client = open();
    client.send({ event: 'pusher:pong' });
    for (let i = 0; i < 16; i++) client.send({ event: 'pusher:ping' });
    const { flow } = client.transport;
    const before = [...flow];
    answer.resolve();
    await settled();
    expect([before, flow, log.all('connection.paused').length]).toEqual([['pause'], ['pause', 'resume'], 1]);
  });
});

describe('a stage in the slot', () => {
  test('sees what its sender may send', () => {
    const kinds: string[] = [];
    const look = defineStage({ name: 'look', slot, tap: ({ kind }) => kinds.push(kind) });
    const client = runNode({ stages: [look] }).open();
    client.send('{');
    client.subscribe('room');
    expect(kinds).toEqual(['subscribe']);
  });

  test('that drops a message leaves it undone', () => {
    const drop = defineStage({ name: 'drop', slot, filter: ({ kind }) => kind !== 'subscribe' });
    const { open, parts } = runNode({ stages: [drop] });
    open().subscribe('room');
    expect(parts.subscriptions.size).toBe(0);
  });

  test('that throws is answered, and the connection stays', () => {
    const broken = defineStage({
      name: 'broken',
      slot,
      map: (item) => {
        if (item.kind === 'subscribe') throw new Error('broken');
        return item;
      },
    });
    const client = runNode({ stages: [broken] }).open();
    client.subscribe('room');
    client.send({ event: 'pusher:ping' });
    expect(client.told).toEqual([greeting, 'pusher:error', 'pusher:pong']);
  });
});

describe.each([
  [
    'a promise',
    (answer: Promise<void>) => defineStage({ name: 'late', slot, map: (item) => answer.then(() => item) }),
  ],
  [
    'an effect',
    (answer: Promise<void>) =>
      defineStage({
        name: 'late',
        slot,
        effect: (item) => answer.then(() => item),
        limits: { concurrency: 10, timeoutMs: 1_000, queue: { capacity: 100, overflow: 'reject' } },
      }),
  ],
])('a stage that answers late, with %s', (_, stage) => {
  function late() {
    const answer = promised<void>();
    const node = runNode({ stages: [stage(answer.promise)] });
    const go = async (): Promise<void> => {
      answer.resolve();
      await settled();
    };
    return { go, ...node };
  }

  test('joins nobody who left meanwhile', async () => {
    const { open, close, go, stop, parts } = late();
    const client = open();
    client.subscribe('presence-x', 'ada');
    close(client);
    await go();
    await stop();
    expect([holds({ parts }), parts.membership.channel('app-1', 'presence-x')]).toEqual([nobody, undefined]);
  });

  test('signs in nobody who left meanwhile', async () => {
    const { open, close, go, stop, parts } = late();
    const client = open();
    client.signIn('ada');
    close(client);
    await go();
    await stop();
    expect([holds({ parts }), parts.users.states('app-1', ['ada'])]).toEqual([
      nobody,
      [expect.objectContaining({ online: false })],
    ]);
  });

  test('subscribes once who asked twice', async () => {
    const { open, close, go, stop, parts } = late();
    const client = open();
    client.subscribe('room');
    client.subscribe('room');
    await go();
    const subscribed = parts.subscriptions.size;
    close(client);
    await stop();
    expect([subscribed, holds({ parts })]).toEqual([1, nobody]);
  });

  test('signs in as one user who asked to be two', async () => {
    const { open, close, go, stop, parts } = late();
    const client = open();
    client.signIn('ada');
    client.signIn('bob');
    await go();
    const user = client.connection.user?.id;
    close(client);
    await stop();
    expect([user, holds({ parts })]).toEqual(['ada', nobody]);
  });

  test('keeps the frames of each connection in order', async () => {
    const { open, go } = late();
    const client = open();
    for (const channel of ['a', 'b', 'c']) client.subscribe(channel);
    await go();
    expect(client.told).toEqual([greeting, succeeded('a'), succeeded('b'), succeeded('c')]);
  });
});

test('behind an effect a slow connection holds up no other', async () => {
  const effect = defineStage({
    name: 'effect',
    slot,
    effect: (item) => of(item),
    limits: { concurrency: 10, timeoutMs: 1_000, queue: { capacity: 100, overflow: 'reject' } },
  });
  const { open, parts } = runNode({ stages: [effect] });
  const [slow, other] = [open(), open()];
  jest.spyOn(parts.membership, 'apply').mockReturnValue(promised<never>().promise);
  slow.subscribe('room');
  other.send({ event: 'pusher:ping' });
  await settled();
  expect(other.told).toEqual([greeting, 'pusher:pong']);
});

describe('a socket that joins and leaves without end', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  const rounds = 10_000;

  test('ends subscribed, told of each success', async () => {
    const { open, parts } = runNode();
    const client = open();
    for (let i = 0; i < rounds; i++) {
      client.subscribe('room');
      client.unsubscribe('room');
    }
    client.subscribe('room');
    await jest.advanceTimersByTimeAsync(1_000);
    expect([client.told.length, parts.subscriptions.size]).toEqual([1 + rounds + 1, 1]);
  });

  test('is in the store once it is subscribed', async () => {
    const { open, parts } = runNode();
    const client = open();
    for (let i = 0; i < 1_000; i++) {
      client.subscribe('presence-x', 'ada');
      client.unsubscribe('presence-x');
    }
    client.subscribe('presence-x', 'ada');
    await jest.advanceTimersByTimeAsync(1_000 * parts.config.cleanup.announceWindowMs);
    expect(parts.subscriptions.size).toBe(1);
    expect(parts.membership.users('app-1', 'presence-x')).toEqual(['ada']);
  });

  test.each([1, 2, 3])(
    'is told rightly to others: they alternate and end with a join (seed %d)',
    async (seed) => {
      const { open, parts } = runNode({ createStores: createLateStores(seed) });
      const [watcher, client] = [open(), open()];
      await jest.advanceTimersByTimeAsync(100);
      watcher.subscribe('presence-x', 'watcher');
      await jest.advanceTimersByTimeAsync(100);
      for (let i = 0; i < 150; i++) {
        client.subscribe('presence-x', 'ada');
        await jest.advanceTimersByTimeAsync(i % 40);
        client.unsubscribe('presence-x');
        await jest.advanceTimersByTimeAsync(i % 7);
      }
      client.subscribe('presence-x', 'ada');
      // Each of its joins waits for a window of the channel.
      await jest.advanceTimersByTimeAsync(150 * 100);
      const told = watcher.told
        .filter((text) => text.includes('member_'))
        .map((text) => text.split(/[_ ]/)[2]);
      expect(told.every((kind, i) => kind === (i % 2 === 0 ? 'added' : 'removed'))).toBe(true);
      expect([told.at(-1), parts.subscriptions.size]).toEqual(['added', 2]);
    },
  );
});

describe('what webhooks are told of a message', () => {
  const events = ['cache_miss', 'client_event'];
  function told(given: readonly string[] = events) {
    const webhooks = [{ url: 'http://127.0.0.1:9/', events: given }];
    const node = runNode({ app: { webhooks } });
    const append = jest.spyOn(node.parts.outbox, 'append').mockReturnValue(undefined);
    return { ...node, append, appended: () => append.mock.calls.flatMap(([appended]) => appended) };
  }
  const miss = { kind: 'cache_miss', appId: 'app-1', channel: 'cache-x' };

  test('is that a cache channel held nothing', () => {
    const { open, appended } = told();
    open().subscribe('cache-x');
    expect(appended()).toEqual([miss]);
  });

  test.each(['cache-x', 'presence-cache-x'])('is the miss of %s', (channel) => {
    const { open, appended } = told();
    const client = open();
    client.subscribe(channel, channel.startsWith('presence') ? 'ada' : undefined);
    expect([appended(), client.told.at(-1)]).toEqual([
      [{ ...miss, channel }],
      `pusher:cache_miss ${channel}`,
    ]);
  });

  test('is one miss of a channel in ten seconds', () => {
    const { open, appended, clock } = told();
    for (const ms of [0, 9_999, 1]) {
      clock.advance(ms);
      open().subscribe('cache-x');
    }
    expect(appended()).toEqual([miss, miss]);
  });

  test('is no miss when the cache holds an event', () => {
    const { open, appended, parts } = told();
    void parts.cachedEvents.remember('app-1', 'cache-x', { event: 'e', data: 'd' });
    open().subscribe('cache-x');
    expect(appended()).toEqual([]);
  });

  test('is a client event, behind its publishing', () => {
    const { open, append, appended, parts } = told();
    const publish = jest.spyOn(parts.bus, 'publish');
    const client = open();
    client.subscribe('presence-x', 'ada');
    publish.mockClear();
    client.send({ event: 'client-hi', channel: 'presence-x', data: { a: 1 } });
    expect(appended()).toEqual([
      {
        kind: 'client_event',
        appId: 'app-1',
        channel: 'presence-x',
        event: 'client-hi',
        data: '{"a":1}',
        socketId: client.socketId,
        userId: 'ada',
      },
    ]);
    expect(publish.mock.invocationCallOrder[0]).toBeLessThan(append.mock.invocationCallOrder[0]!);
  });

  test('is a client event without a user where there are none', () => {
    const { open, appended } = told();
    const client = open();
    client.subscribe('private-x');
    client.send({ event: 'client-hi', channel: 'private-x', data: 'text' });
    expect(appended()).toEqual([
      expect.objectContaining({ kind: 'client_event', data: 'text', socketId: client.socketId }),
    ]);
    expect(appended()[0]).not.toHaveProperty('userId');
  });

  test('is nothing that nobody wants', () => {
    const { open, append } = told(['channel_occupied']);
    const client = open();
    client.subscribe('cache-x');
    client.subscribe('private-x');
    client.send({ event: 'client-hi', channel: 'private-x', data: '' });
    expect(append).not.toHaveBeenCalled();
  });

  test('holds up the next frames of its connection alone', async () => {
    const { open, append } = told();
    const answer = promised<void>();
    append.mockReturnValue(answer.promise);
    const [slow, other] = [open(), open()];
    slow.subscribe('cache-x');
    for (const client of [slow, other]) client.send({ event: 'pusher:ping' });
    const before = [slow.told, other.told];
    answer.resolve();
    await settled();
    const answers = [greeting, succeeded('cache-x'), 'pusher:cache_miss cache-x'];
    expect([before, slow.told]).toEqual([
      [answers, [greeting, 'pusher:pong']],
      [...answers, 'pusher:pong'],
    ]);
  });

  test('and cannot be kept leaves the subscription as it is', async () => {
    const { open, append, parts } = told();
    append.mockReturnValue(Promise.reject(new Error('away')));
    const client = open();
    client.subscribe('cache-x');
    await settled();
    expect([parts.subscriptions.size, client.told.slice(0, 2)]).toEqual([
      1,
      [greeting, succeeded('cache-x')],
    ]);
  });
});
