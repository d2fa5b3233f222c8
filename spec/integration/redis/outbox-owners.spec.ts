import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Lane, LaneContent, NewBatch } from '../../../lib/outbox/outbox.ts';
import type { NewOutboxEvent, OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { endpoint, inWords } from '../../lib/outbox/open-outbox.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type Deployment, newPrefix, type OutboxNode, startOutboxNode } from './outbox-rig.ts';

const hourMs = 3_600_000;
const retainMs = 72 * hourMs;

let redis: RedisServer;
let deployment: Deployment;
let nodes: OutboxNode[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  // The sweep is the only interval of an outbox.
  jest.useFakeTimers({ doNotFake: everyTimerButIntervals });
  deployment = { redis, prefix: newPrefix(), partitions: 2, shift: { ms: 0 }, retainMs, maxBytes: 1e9 };
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  nodes = [];
  jest.useRealTimers();
});

const everyTimerButIntervals = [
  ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
  ...(['setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] as const),
];

async function start(isOwner = true, own: Partial<Deployment> = {}): Promise<OutboxNode> {
  deployment = { ...deployment, ...own };
  const node = await startOutboxNode(deployment, isOwner);
  nodes.push(node);
  return node;
}

const room = 'room';
const lane: Lane = { appId: 'app-1', endpointId: 'hook', partition: partitionOf('app-1', room, 2) };
const hook = endpoint('hook');

const said = (data: string, channel = room): NewOutboxEvent => ({
  kind: 'client_event',
  appId: 'app-1',
  channel,
  event: 'client-said',
  data,
  socketId: '1.1',
});
const textOf = (event: OutboxEvent): string => (event.kind === 'client_event' ? event.data : inWords(event));
const textsOf = ({ batch, events }: LaneContent): readonly string[] =>
  batch === undefined ? events.map(({ event }) => textOf(event)) : batch.events.map(textOf);

async function say(node: OutboxNode, ...texts: readonly string[]): Promise<void> {
  await node.outbox.append(texts.map((text) => said(text)));
  await node.rest();
}

let batches = 0;
function batchOf(events: readonly OutboxEvent[]): NewBatch {
  const id = `msg_${++batches}`;
  return { id, body: Buffer.from(`ü ${id}`), events, createdAtMs: Date.now() };
}

async function record({ outbox }: OutboxNode, of = lane, limit = 100): Promise<NewBatch> {
  const { events, token } = await outbox.read(of, limit);
  const batch = batchOf(events.map(({ event }) => event));
  if (!(await outbox.record(of, token, events.at(-1)?.position ?? 0, batch)))
    throw new Error('it has changed');
  return batch;
}

async function deliver(node: OutboxNode, of = lane): Promise<void> {
  const { id } = await record(node, of);
  await node.outbox.acknowledge(of, id);
  await node.rest();
}

async function sweep(...swept: readonly OutboxNode[]): Promise<void> {
  jest.advanceTimersByTime(60_000);
  await Promise.all(swept.map((node) => node.rest()));
}

/** Time passes, and whoever lives renews its leases. */
async function elapse(ms: number, ...living: readonly OutboxNode[]): Promise<void> {
  deployment.shift.ms += ms;
  for (const { node } of living) await node.renew(node.owns(0));
}

describe('the owner of a partition', () => {
  async function startBoth() {
    const owner = await start();
    const other = await start(false);
    await owner.open(hook);
    await other.open(hook);
    return { owner, other };
  }

  test('alone reads it', async () => {
    const { owner, other } = await startBoth();
    await say(other, '1');
    expect([textsOf(await owner.outbox.read(lane, 10)), textsOf(await other.outbox.read(lane, 10))]).toEqual([
      ['1'],
      [],
    ]);
  });

  test('alone is told that there is work, whoever appended it', async () => {
    const { owner, other } = await startBoth();
    await say(other, '1', '2');
    await owner.rest();
    expect([owner.work, other.work]).toEqual([[{ lane, pending: 2 }], []]);
  });

  test('gives it with its batch: the next one sends the same bytes', async () => {
    const { owner, other } = await startBoth();
    await say(owner, '1', '2');
    const { id, body } = await record(owner);
    await owner.outbox.failed(lane, id, { reason: '503', isRefusal: false });
    await owner.node.give();
    await other.node.take();
    await other.rest();
    expect(other.work).toEqual([{ lane, pending: 0, isTaken: true }]);
    expect((await other.outbox.read(lane, 10)).batch).toMatchObject({
      id,
      body,
      failures: 1,
      lastFailure: '503',
    });
  });

  test('settles nothing once it is another', async () => {
    const { owner, other } = await startBoth();
    await say(owner, '1');
    const { id } = await record(owner);
    await owner.node.give();
    await other.node.take();
    await owner.outbox.acknowledge(lane, id);
    await owner.outbox.failed(lane, id, { reason: '503', isRefusal: false });
    await owner.outbox.deadLetter(lane, id, '400');
    expect((await other.outbox.read(lane, 10)).batch).toMatchObject({ id, failures: 0 });
  });

  test('records nothing by what it read before it was another for a while', async () => {
    const { owner, other } = await startBoth();
    await say(owner, '1');
    const { events, token } = await owner.outbox.read(lane, 10);
    await owner.node.give();
    await other.node.take();
    await deliver(other);
    await other.node.give();
    await owner.node.take();
    expect(await owner.outbox.record(lane, token, events[0]!.position, batchOf([]))).toBe(false);
  });

  test('records nothing when its lease has run out', async () => {
    const { owner } = await startBoth();
    await say(owner, '1');
    const { events, token } = await owner.outbox.read(lane, 10);
    deployment.shift.ms += 2 * hourMs;
    expect(await owner.outbox.record(lane, token, events[0]!.position, batchOf([]))).toBe(false);
  });

  test('hears by its renewal of what no wake-up said', async () => {
    const { owner } = await startBoth();
    await say(owner, '1');
    owner.work.length = 0;
    owner.node.heads$.next({
      partition: lane.partition as number,
      generation: 0,
      heads: new Map([['app-1', 3]]),
    });
    owner.node.heads$.next({
      partition: lane.partition as number,
      generation: 0,
      heads: new Map([['app-1', 3]]),
    });
    expect(owner.work).toEqual([{ lane, pending: 3 }]);
  });

  test('holds a lane while it owns the partition, and gives it when no attempt is under way', async () => {
    const { owner, other } = await startBoth();
    await say(owner, '1');
    const partition = lane.partition as number;
    const { id } = await record(owner);
    const before = owner.outbox.mayGive(partition);
    const held = [owner.outbox.begin(lane), other.outbox.begin(lane)];
    const during = owner.outbox.mayGive(partition);
    await owner.outbox.acknowledge(lane, id);
    expect([before, held, during, owner.outbox.mayGive(partition)]).toEqual([
      true,
      [true, false],
      false,
      true,
    ]);
  });

  test('sends what it withheld for want of a lease after its renewal', async () => {
    const { owner } = await startBoth();
    await say(owner, '1');
    const partition = lane.partition as number;
    owner.work.length = 0;
    owner.node.leaseLeftMs = 1_999;
    const isHeld = owner.outbox.begin(lane);
    owner.node.leaseLeftMs = 2_000;
    owner.node.heads$.next({ partition, generation: 0, heads: new Map() });
    expect([isHeld, owner.work, owner.outbox.begin(lane)]).toEqual([false, [{ lane, pending: 1 }], true]);
  });

  test('goes on with what a store has that was wiped', async () => {
    const { owner } = await startBoth();
    await owner.occupy(room);
    await redis.cli('FLUSHALL');
    await owner.node.beginAnew();
    await owner.rest();
    owner.work.length = 0;
    await owner.occupy('again', room);
    await say(owner, '1');
    const { events } = await owner.outbox.read(lane, 10);
    expect([owner.work.length > 0, events.map(({ event }) => textOf(event))]).toEqual([
      true,
      ['channel_occupied', '1'],
    ]);
  });

  test('appends what waits to a store that was wiped once that knows the endpoints', async () => {
    const { owner } = await startBoth();
    owner.node.isSuspended = true;
    await redis.cli('FLUSHALL');
    const appended = owner.outbox.append([said('1'), said('2')]);
    await owner.node.beginAnew();
    await appended;
    await owner.rest();
    expect(textsOf(await owner.outbox.read(lane, 10))).toEqual(['1', '2']);
  });
});

describe('the retention', () => {
  const late = async (endpoints = [hook], own: Partial<Deployment> = {}) => {
    const node = await start(true, own);
    await node.open(...endpoints);
    return node;
  };

  test('makes dead letters of what waits too long, for endpoints that asked for it', async () => {
    const node = await late([hook, endpoint('picky', { takes: (kind) => kind !== 'client_event' })]);
    await say(node, '1', '2');
    await elapse(retainMs, node);
    await say(node, '3');
    await elapse(1, node);
    await sweep(node);
    expect(node.said).toEqual(['hook buried 2: not delivered within 72 h']);
    expect(textsOf(await node.outbox.read(lane, 10))).toEqual(['3']);
    const dead = await node.outbox.list({ appId: 'app-1', state: 'dead' }, 10);
    expect(dead.map(({ event, deliveries }) => [textOf(event), deliveries])).toEqual(
      ['1', '2'].map((text) => [
        text,
        [{ endpointId: 'hook', state: 'dead', failures: 0, lastFailure: 'not delivered within 72 h' }],
      ]),
    );
  });

  test('makes dead letters of a batch that waits too long, and lets the lane go on', async () => {
    const node = await late();
    await say(node, '1');
    const { id } = await record(node);
    await node.outbox.failed(lane, id, { reason: '503', isRefusal: false });
    await elapse(retainMs - 1, node);
    await say(node, '2');
    await elapse(10, node);
    node.work.length = 0;
    await sweep(node);
    // The sweep looks at every lane again when it is done.
    expect(new Set(node.work.map(({ pending }) => pending))).toEqual(new Set([1]));
    const [dead] = await node.outbox.list({ appId: 'app-1', state: 'dead' }, 10);
    expect(dead!.deliveries).toMatchObject([{ batchId: id, failures: 1 }]);
  });

  test('gives up more than fits into one step, and nothing that is younger', async () => {
    const node = await late();
    await say(node, ...Array.from({ length: 200 }, (_, n) => `old ${n}`));
    await elapse(retainMs, node);
    await say(node, 'young');
    await elapse(1, node);
    await sweep(node);
    expect(textsOf(await node.outbox.read(lane, 10))).toEqual(['young']);
    expect((await node.outbox.backlogs())[0]).toMatchObject({ events: 1, deadLetters: 200 });
  });

  test('lets dead letters go after as long again, and says that they were never told', async () => {
    const node = await late();
    await say(node, '1');
    await node.outbox.deadLetter(lane, (await record(node)).id, '400');
    await elapse(retainMs + 1, node);
    await sweep(node);
    expect([node.said, (await node.outbox.backlogs())[0]!.deadLetters]).toEqual([['hook expired 1'], 0]);
  });

  test('lets go what was delivered, and a timeline from before it', async () => {
    const node = await late();
    const { position } = await node.outbox.lifecycleSnapshot('app-1');
    await node.occupy(room);
    await deliver(node);
    await elapse(retainMs + 1, node);
    await sweep(node);
    expect([
      await node.outbox.list({ appId: 'app-1' }, 10),
      await node.outbox.lifecycleAfter('app-1', position, 10),
    ]).toEqual([[], 'gone']);
  });

  test('of what is on a replay lane begins when it was asked for', async () => {
    const node = await late();
    await say(node, '1');
    await deliver(node);
    await elapse(retainMs - 1, node);
    await node.outbox.replay({ appId: 'app-1' }, 10);
    await elapse(2, node);
    await sweep(node);
    expect(textsOf(await node.outbox.read({ ...lane, partition: 'replay' }, 10))).toEqual(['1']);
    await elapse(retainMs, node);
    await sweep(node);
    expect(textsOf(await node.outbox.read({ ...lane, partition: 'replay' }, 10))).toEqual([]);
    expect(node.said).toEqual(['hook buried 1: not delivered within 72 h']);
  });

  test('forgets the seq an endpoint was sent once the channel is forgotten', async () => {
    const node = await late();
    await node.occupy(room);
    await node.vacate(room);
    await deliver(node);
    const partition = lane.partition as number;
    const sent = (): Promise<string> => redis.cli('HLEN', `${deployment.prefix}{${partition}}:sq:app-1:hook`);
    await sweep(node);
    const before = await sent();
    await redis.cli('DEL', `${deployment.prefix}{${partition}}:c:app-1:${room}`);
    await sweep(node);
    expect([before, await sent()]).toEqual(['1', '0']);
  });

  test('forgets it though the lane never rests', async () => {
    const node = await late();
    await node.occupy('gone');
    await node.vacate('gone');
    const partition = partitionOf('app-1', 'gone', 2);
    const busy = { ...lane, partition };
    await deliver(node, busy);
    const key = `${deployment.prefix}{${partition}}`;
    await redis.cli('DEL', `${key}:c:app-1:gone`);
    await node.outbox.append([said('1', 'gone')]);
    await node.rest();
    await sweep(node);
    expect([
      (await node.outbox.read(busy, 10)).events.length,
      await redis.cli('HLEN', `${key}:sq:app-1:hook`),
    ]).toEqual([1, '0']);
  });

  test('of dead letters ends earlier when there are too many: the oldest go', async () => {
    const node = await late([hook], { maxBytes: 4_000 });
    await say(node, '1');
    await node.outbox.deadLetter(lane, (await record(node)).id, '400');
    await say(node, 'x'.repeat(1_600));
    await node.outbox.deadLetter(lane, (await record(node)).id, '400');
    const dead = await node.outbox.list({ appId: 'app-1', state: 'dead' }, 10);
    expect([node.said, dead.map(({ event }) => textOf(event).slice(0, 2))]).toEqual([
      ['hook expired 1'],
      ['xx'],
    ]);
  });
});

describe('an endpoint', () => {
  test('that a node with an older configuration does not know stays', async () => {
    const newer = await start();
    const older = await start(false);
    await newer.open(hook, endpoint('new'));
    await older.open(hook);
    expect((await older.outbox.backlogs()).map(({ endpointId, isOpen }) => [endpointId, isOpen])).toEqual([
      ['hook', true],
      ['new', true],
    ]);
  });

  test('is retired when no live node lists it, and goes on when one does again', async () => {
    const newer = await start(false);
    const older = await start();
    await newer.open(hook, endpoint('new'));
    await older.open(hook);
    await say(older, '1');
    await elapse(hourMs / 2, older);
    await elapse(hourMs / 2 + 1, older);
    await sweep(older);
    const isOpen = async () => (await older.outbox.backlogs()).map((one) => one.isOpen);
    const without = await isOpen();
    await older.open(hook, endpoint('new'));
    expect([without, await isOpen()]).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(textsOf(await older.outbox.read({ ...lane, endpointId: 'new' }, 10))).toEqual(['1']);
  });

  test('that was retired for as long as events are kept is forgotten, with all that it had', async () => {
    const node = await start();
    await node.open(hook);
    await node.occupy(room);
    await say(node, '1', '2');
    await node.open();
    await elapse(retainMs + 1, node);
    await sweep(node);
    const keys = await redis.cli('KEYS', `${deployment.prefix}*hook*`);
    expect([node.said, keys, await node.outbox.lifecycleAfter('app-1', 'x', 1)]).toEqual([
      ['hook expired 3'],
      '',
      'off',
    ]);
  });
});

describe('a dead letter', () => {
  const replayLane: Lane = { ...lane, partition: 'replay' };

  test('that stands for many channels and is refused again is one as before', async () => {
    const node = await start();
    await node.open(hook);
    const id = 'node-1';
    const range = {
      kind: 'spillway_coalesced',
      id,
      appId: 'app-1',
      channel: '*',
      atMs: Date.now(),
      count: 2,
    };
    const partition = `${deployment.prefix}{${1 - partitionOf('app-1', '*', 2)}}`;
    const letter = JSON.stringify({ event: range, reason: '400', failures: 1, batchId: 'msg_0' });
    await redis.cli('HSET', `${partition}:dl:app-1:hook`, id, letter);
    await redis.cli('ZADD', `${partition}:dz:app-1:hook`, '1', id);
    expect(await node.outbox.replay({ appId: 'app-1', state: 'dead' }, 10)).toBe(1);
    await node.rest();
    const { id: batchId } = await record(node, replayLane);
    await node.outbox.deadLetter(replayLane, batchId, '422');
    expect((await node.outbox.backlogs())[0]!.deadLetters).toBe(1);
  });
});

describe('the timeline', () => {
  test('is read in pages from every partition, to its end', async () => {
    const node = await start();
    await node.open(hook);
    const { position } = await node.outbox.lifecycleSnapshot('app-1');
    const names = Array.from({ length: 30 }, (_, n) => `c${n}`);
    await node.occupy(...names);
    await node.outbox.append(names.map((name) => said('x', name)));
    await node.rest();
    const told: string[] = [];
    let after = position;
    let hasMore = true;
    while (hasMore) {
      const page = await node.outbox.lifecycleAfter('app-1', after, 7);
      if (typeof page === 'string') throw new Error(page);
      told.push(...page.events.map(({ channel }) => channel));
      ({ position: after, hasMore } = page);
    }
    expect(told.sort()).toEqual([...names].sort());
    expect((await node.outbox.lifecycleSnapshot('app-1')).channels.length).toBe(30);
  });

  test('is gone when the store is another, or has lost something', async () => {
    const node = await start();
    await node.open(hook);
    const { position } = await node.outbox.lifecycleSnapshot('app-1');
    await redis.cli('HSET', `${deployment.prefix}{1}:st`, 'gen', '1');
    expect(await node.outbox.lifecycleAfter('app-1', position, 10)).toBe('gone');
  });
});

describe('a full backlog', () => {
  const maxBytes = 200_000;
  const share = maxBytes / 2;

  test('is folded within the cap of its partition, however many pieces it is read in, for each endpoint', async () => {
    const node = await start(true, { maxBytes });
    await node.open(hook, endpoint('other'));
    const texts = Array.from({ length: 2_000 }, (_, n) => `${n}`.padStart(100, '.'));
    for (let at = 0; at < texts.length; at += 200) await say(node, ...texts.slice(at, at + 200));
    const told: OutboxEvent[] = [];
    for (;;) {
      const { events } = await node.outbox.read(lane, 500);
      if (events.length === 0) break;
      told.push(...events.map(({ event }) => event));
      await deliver(node);
    }
    const leftOut = told.flatMap((event) => (event.kind === 'spillway_coalesced' ? [event.count] : []));
    const kept = told.filter(({ kind }) => kind === 'client_event').map(textOf);
    expect(leftOut.reduce((sum, count) => sum + count, 0) + kept.length).toBe(2_000);
    expect([kept, told[0]!.kind]).toEqual([texts.slice(-kept.length), 'spillway_coalesced']);
    const backlogs = await node.outbox.backlogs();
    expect(backlogs.map(({ bytes, coalesced }) => [bytes <= share, coalesced > 1_000])).toEqual([
      [true, true],
      [true, true],
    ]);
    expect(new Set(node.said.map((line) => line.split(' ')[0]))).toEqual(new Set(['hook', 'other']));
  });

  test('loses what was delivered first, and folds nothing for that', async () => {
    const node = await start(true, { maxBytes });
    await node.open(hook);
    for (let at = 0; at < 20; at++) {
      await say(node, ...Array.from({ length: 50 }, (_, n) => `${n}`.padStart(200, '.')));
      while ((await node.outbox.read(lane, 1)).events.length > 0) await deliver(node);
    }
    const length = Number(await redis.cli('XLEN', `${deployment.prefix}{${lane.partition}}:o:app-1`));
    expect([node.said, length > 0 && length < 600]).toEqual([[], true]);
  });
});
