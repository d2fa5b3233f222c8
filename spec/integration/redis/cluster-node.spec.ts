import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { filter, firstValueFrom, last, type Observable, take, timeout } from 'rxjs';
import type { Group, GroupSource } from '../../../lib/cluster/group-source.ts';
import { RedisClusterNode } from '../../../lib/cluster/redis-cluster-node.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { EventLog } from '../../support/event-log.ts';
import { startRedis, type RedisServer } from '../../support/redis.ts';
import { startRelay, type Relay } from '../../support/relay.ts';
import { settingsOf } from './link-rig.ts';

const partitions = 4;
const settings = { leaseMs: 1500, renewMs: 300, graceMs: 200, retainMs: 60_000 };

/** Channels that this node is in, one subscription each, all in partition 0. */
class Rooms implements GroupSource {
  readonly joined = new Set<string>();
  readonly answers: string[] = [];
  readonly log: string[] = [];
  #waiting: string[] = [];
  #unanswered = 0;
  #onAnswer: (() => void)[] = [];

  join(node: RedisClusterNode, ...rooms: readonly string[]): Promise<void> {
    for (const room of rooms) this.joined.add(room);
    this.#waiting.push(...rooms);
    const answered = new Promise<void>((resolve) => this.#onAnswer.push(resolve));
    node.poke(0);
    return answered;
  }

  take(partition: number, room: number): readonly Group[] {
    if (partition !== 0) return [];
    const taken = this.#waiting.splice(0, room);
    this.#unanswered += taken.length;
    return taken.map((channel) => ({
      args: ['c', 'app', channel, 1, '1', 0, 0, 0],
      changes: 1,
      answered: (reply) => {
        this.answers.push(`${channel}: ${reply}`);
        if (--this.#unanswered + this.#waiting.length > 0) return;
        for (const tell of this.#onAnswer.splice(0)) tell();
      },
    }));
  }

  waiting(partition: number) {
    return { changes: partition === 0 ? this.#waiting.length : 0, isUrgent: true };
  }

  away(): void {
    this.log.push('away');
  }

  returned(): void {
    this.log.push('returned');
  }

  assertAll(partition: number, { isWiped }: { readonly isWiped: boolean }): void {
    if (partition !== 0) return;
    this.log.push(isWiped ? 'assert wiped' : 'assert');
    this.#waiting = [...this.joined];
  }
}

interface OpenNode {
  readonly node: RedisClusterNode;
  readonly link: RedisLink;
  readonly rooms: Rooms;
  readonly log: EventLog;
}

let redis: RedisServer;
let relay: Relay;
const opened: OpenNode[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.cli('FLUSHALL');
  relay = await startRelay(redis.port);
});
afterEach(async () => {
  for (const { node } of opened) await node.close();
  for (const { link } of opened.splice(0)) await link.close();
  await relay.stop();
});

async function openNode(nodeId: string, port = redis.port): Promise<OpenNode> {
  const telemetry = new Telemetry({ level: 'debug' });
  const log = new EventLog();
  telemetry.events$.subscribe((event) => log.add(event));
  const link = new RedisLink({
    settings: settingsOf({ url: `redis://127.0.0.1:${port}` }),
    partitions,
    telemetry,
  });
  await link.open();
  const node = new RedisClusterNode({ nodeId, link, telemetry, settings, mayGive: () => true });
  const rooms = new Rooms();
  node.addSource(rooms);
  const one = { node, link, rooms, log };
  opened.push(one);
  await node.open();
  return one;
}

const all = Array.from({ length: partitions }, (_, p) => p);
const first = <T>(stream$: Observable<T>): Promise<T> =>
  firstValueFrom(stream$.pipe(timeout({ first: 10_000 })));

/** Until it owns so many. */
async function owning({ node }: OpenNode, howMany: number): Promise<void> {
  const owned = (): number => all.filter((p) => node.owns(p)).length;
  if (owned() !== howMany) await first(node.ownership$.pipe(filter(() => owned() === howMany)));
}

const key = (name: string): string => `test:{0}:${name}`;

describe('two nodes on one Redis', () => {
  test('share the partitions, and the one that goes leaves nothing behind', async () => {
    const one = await openNode('aaaaaaaaaaaa');
    const other = await openNode('bbbbbbbbbbbb');
    await one.rooms.join(one.node, 'room');
    expect(one.rooms.answers).toEqual(['room: 0 0 -']);
    await other.rooms.join(other.node, 'room');
    expect(other.rooms.answers).toEqual(['room: 0 1 -']);
    await first(other.node.ownership$.pipe(filter(({ isOwned }) => isOwned)));
    const owners = (): readonly boolean[] => all.map((p) => one.node.owns(p) !== other.node.owns(p));
    while (!owners().every(Boolean)) await first(other.node.heads$);
    expect(await redis.cli('HGET', key('c:app:room'), '#n')).toBe('2');
    other.rooms.joined.clear();
    await redis.cli('SREM', key('ic:bbbbbbbbbbbb.1'), 'app:room');
    await other.node.close();
    await owning(one, partitions);
    expect(await redis.cli('ZSCORE', key('lease'), 'bbbbbbbbbbbb.1')).toBe('');
  });

  test('when the way of one is cut the other reaps it and takes its partitions', async () => {
    const one = await openNode('aaaaaaaaaaaa');
    const dead = await openNode('bbbbbbbbbbbb', relay.port);
    const rooms = Array.from({ length: 700 }, (_, i) => `room-${i}`);
    await dead.rooms.join(dead.node, ...rooms);
    await one.rooms.join(one.node, 'room-0');
    relay.cut();
    const { entries } = await one.log.waitFor('cluster.reaped', ({ partition }) => partition === 0);
    expect(entries).toBe(700);
    await owning(one, partitions);
    expect(all.map((p) => dead.node.owns(p))).toEqual(all.map(() => false));
    expect(await redis.cli('HGET', key('c:app:room-0'), '#n')).toBe('1');
    expect(await redis.cli('HGET', key('c:app:room-1'), '#n')).toBe('0');
    expect(dead.rooms.log).toEqual(['away']);
  });

  test('one that comes back after that tells under the next name what it holds', async () => {
    const one = await openNode('aaaaaaaaaaaa');
    const paused = await openNode('bbbbbbbbbbbb', relay.port);
    await paused.rooms.join(paused.node, 'room', 'hall');
    relay.cut();
    await one.log.waitFor('cluster.reaped', ({ partition }) => partition === 0);
    relay.heal();
    await paused.log.waitFor('cluster.begun-anew', ({ partition }) => partition === 0);
    await paused.rooms.join(paused.node, 'hall');
    expect(paused.rooms.log).toEqual(['away', 'assert', 'returned']);
    expect(await redis.cli('HGET', key('c:app:room'), 'bbbbbbbbbbbb.2')).toBe('1');
    expect(await redis.cli('HGET', key('st'), 'gen')).toBe('0');
    expect(paused.node.metrics.begunAnew).toMatchObject({ wiped: 0, lost: 0 });
  });
});

describe('a Redis', () => {
  test('that lost the last batches is given them again, under a new generation', async () => {
    const { node, rooms, log } = await openNode('aaaaaaaaaaaa');
    for (const room of ['a', 'b', 'c']) await rooms.join(node, room);
    for (const room of ['b', 'c']) {
      await redis.cli('DEL', key(`c:app:${room}`));
      await redis.cli('SREM', key('ic:aaaaaaaaaaaa.1'), `app:${room}`);
    }
    await redis.cli('HSET', key('b'), 'aaaaaaaaaaaa.1', '1');
    expect(await log.waitFor('cluster.gap')).toEqual({ partition: 0, batches: 2 });
    await rooms.join(node, 'd');
    for (const room of ['a', 'b', 'c', 'd']) {
      expect(await redis.cli('HGET', key(`c:app:${room}`), '#k')).toBe('1');
    }
    expect(await redis.cli('HMGET', key('st'), 'gen')).toBe('1');
    expect(node.metrics).toMatchObject({ replays: 2, begunAnew: { lost: 0 } });
  });

  test('that was wiped is told everything, under a new generation', async () => {
    const { node, rooms, log } = await openNode('aaaaaaaaaaaa');
    await rooms.join(node, 'a', 'b');
    await redis.cli('FLUSHALL');
    await log.waitFor('cluster.begun-anew', ({ partition, cause }) => partition === 0 && cause === 'wiped');
    await rooms.join(node, 'c');
    for (const room of ['a', 'b', 'c']) {
      expect(await redis.cli('HGET', key(`c:app:${room}`), 'aaaaaaaaaaaa.2')).toBe('1');
    }
    expect(await redis.cli('HGET', key('st'), 'gen')).toBe('1');
    expect(node.owns(0)).toBe(true);
  });

  test('that is divided otherwise is not used', async () => {
    await redis.cli('HSET', key('st'), 'id', 'x', 'P', '16');
    await expect(openNode('aaaaaaaaaaaa')).rejects.toThrow(
      'Redis has the state of this deployment in 16 partitions, and this node is configured for 4',
    );
  });

  test('gets one renewal of each partition at a time from a node that is idle, and nothing else', async () => {
    const { node } = await openNode('aaaaaaaaaaaa');
    let renewals = 0;
    node.heads$.subscribe(() => renewals++);
    const ticks = async (howMany: number): Promise<void> => {
      await first(
        node.heads$.pipe(
          filter(({ partition }) => partition === 3),
          take(howMany),
          last(),
        ),
      );
    };
    await ticks(1);
    const least = renewals;
    await redis.cli('CONFIG', 'RESETSTAT');
    const afterReset = renewals;
    await ticks(4);
    const beforeInfo = renewals;
    const stats = await redis.cli('INFO', 'commandstats');
    const calls = [...stats.matchAll(/cmdstat_(evalsha|eval|ping|client|publish)[^:]*:calls=(\d+)/g)];
    expect(calls.map(([, name]) => name)).toEqual(['evalsha']);
    // One of each partition may be under way when it is asked, and the asking itself takes time.
    const count = Number(calls[0]?.[2]);
    expect(count).toBeGreaterThanOrEqual(beforeInfo - afterReset - 4);
    expect(count).toBeLessThanOrEqual(renewals - least + 4);
  });
});
