import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BusMessage, EventMessage } from '../../../lib/bus/bus.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { BusNode, foldOf, partitions } from './bus-node.ts';

const room = 'presence-room';
let redis: RedisServer;
let one: BusNode;
let two: BusNode;

beforeEach(async () => {
  redis = await startRedis();
  one = await new BusNode(redis.url, 'aaaaaaaaaaaa').open();
  two = await new BusNode(redis.url, 'bbbbbbbbbbbb').open();
});
afterEach(async () => {
  const problems = [...one.failures, ...two.failures, ...one.malformed, ...two.malformed];
  await one.close();
  await two.close();
  await redis.stop();
  expect(problems).toEqual([]);
});

const event = (channel: string, data: string, own: Partial<EventMessage> = {}): EventMessage => ({
  ...{ kind: 'event', appId: 'app', channel, event: 'e', data },
  ...own,
});
const isEvent = (data: string) => (message: BusMessage) => message.kind === 'event' && message.data === data;
const isVersion = (version: number) => (message: BusMessage) =>
  message.kind === 'membership' && message.version >= version;
const usersAt = async (node: BusNode, version: number): Promise<readonly string[]> => {
  const { members } = await node.views.snapshot('app', room, version);
  return members.map(({ userId }) => userId).sort();
};

describe('messages between two nodes on one Redis', () => {
  test('arrive as they were, each publisher’s in the order of its calls, and once where they were published', async () => {
    await Promise.all([one.hear('room'), two.hear('room')]);
    const ends = [one.next(isEvent('two 299')), two.next(isEvent('one 299'))];
    for (let i = 0; i < 300; i++) {
      one.bus.publish(event('room', `one ${i}`, { exceptSocketId: `1.${i}` }));
      two.bus.publish(event('room', `two ${i}`, { userId: 'ü:ada', fromClient: true }));
    }
    await Promise.all(ends);
    for (const node of [one, two]) {
      const heard = node.delivered.filter((message) => message.kind === 'event');
      for (const name of ['one', 'two']) {
        expect(heard.filter(({ data }) => data.startsWith(name)).map(({ data }) => data)).toEqual(
          Array.from({ length: 300 }, (_, i) => `${name} ${i}`),
        );
      }
      expect(heard.find(({ data }) => data === 'one 7')).toEqual(
        event('room', 'one 7', { exceptSocketId: '1.7' }),
      );
      expect(heard.find(({ data }) => data === 'two 7')).toEqual(
        event('room', 'two 7', { userId: 'ü:ada', fromClient: true }),
      );
    }
    expect([one.bus.received, one.bus.sent, one.bus.lagMs < 5_000]).toEqual([300, 300, true]);
  });

  test('reach only those who listen to the channel', async () => {
    await two.hear('room');
    const end = two.next(isEvent('end'));
    one.bus.publish(event('elsewhere', 'lost'));
    one.bus.publish(event('room', 'end'));
    await end;
    expect(two.delivered).toEqual([event('room', 'end')]);
  });

  test('on users and their connections reach every node', async () => {
    const arrived = Promise.all([
      two.next(({ kind }) => kind === 'terminate'),
      one.next((message) => message.kind === 'user' && !message.online),
      two.next((message) => message.kind === 'user' && !message.online),
    ]);
    one.bus.publish({ kind: 'terminate', appId: 'app', userId: 'ada' });
    await one.signIn('ada', '1');
    await one.signIn('ada', '0');
    await arrived;
    const online = { kind: 'user', appId: 'app', userId: 'ada', online: true, version: 1 };
    expect(one.delivered.filter(({ kind }) => kind === 'user')).toEqual([
      online,
      { ...online, online: false, version: 2 },
    ]);
    expect(two.delivered.filter(({ kind }) => kind === 'terminate').length).toBe(1);
  });

  test('of a channel are still listened to when its last subscriber has just left', async () => {
    await two.hear('room');
    two.bus.setInterest('app', 'room', false);
    const topic = `test:{${partitionOf('app', 'room', partitions)}}:t:c:app:room`;
    expect(await redis.cli('PUBSUB', 'NUMSUB', topic)).toContain('1');
    await two.hear('room');
    const arrived = two.next(isEvent('again'));
    one.bus.publish(event('room', 'again'));
    await arrived;
  });
});

describe('the members of a channel, seen from two nodes', () => {
  test('are there for the one who joined as soon as the store has answered', async () => {
    await Promise.all([one.hear(room), two.hear(room)]);
    expect(await usersAt(one, await one.change(room, 'ada', '1', 1))).toEqual(['ada']);
    const version = await two.change(room, 'bob', '1', 1);
    expect([await usersAt(one, version), await usersAt(two, version)]).toEqual([
      ['ada', 'bob'],
      ['ada', 'bob'],
    ]);
  });

  test('are the store’s when nobody here is interested', async () => {
    const version = await one.change(room, 'ada', '1', 1);
    expect([await usersAt(two, version), two.views.size]).toEqual([['ada'], 0]);
  });

  test('are told to those who come later as one announcement of what is', async () => {
    await one.change(room, 'ada', '1', 1);
    const version = await one.change(room, 'bob', '1', 2);
    const told = two.next(isVersion(version));
    await two.hear(room);
    await told;
    expect([...foldOf(two.delivered, room).keys()].sort()).toEqual(['ada', 'bob']);
  });

  test('are repaired after the listening connection was cut', async () => {
    await Promise.all([one.hear(room), two.hear(room)]);
    const first = await one.change(room, 'ada', '1', 1);
    await Promise.all([usersAt(one, first), usersAt(two, first)]);
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await one.change(room, 'bob', '1', 2);
    const version = await one.change(room, 'ada', '0', 1);
    const repaired = [one, two].map((node) =>
      node.views.versionOf('app', room) >= version ? Promise.resolve() : node.next(isVersion(version)),
    );
    await Promise.all(repaired);
    for (const node of [one, two]) {
      expect([...foldOf(node.delivered, room).keys()]).toEqual(['bob']);
    }
  });

  test('whatever comes, goes and is cut: announcements add up to the store, in rising versions', async () => {
    const channels = ['presence-a', 'presence-b'];
    const step = fc.record({
      channel: fc.constantFrom(...channels),
      user: fc.constantFrom('ada', 'bob', 'eve'),
      isTwo: fc.boolean(),
      isCut: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        run++;
        const held = new Map<string, Set<string>>();
        const versions = new Map<string, number>();
        for (const channel of channels)
          void Promise.all([one, two].map((node) => node.hear(`${channel}-${run}`)));
        for (const { channel, user, isTwo, isCut } of steps) {
          if (isCut) await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
          const name = `${channel}-${run}`;
          const users = held.get(`${name} ${isTwo}`) ?? new Set<string>();
          held.set(`${name} ${isTwo}`, users);
          const op = users.delete(user) ? '0' : '1';
          if (op === '1') users.add(user);
          versions.set(name, await (isTwo ? two : one).change(name, user, op, users.size));
        }
        for (const [name, version] of versions) {
          for (const node of [one, two]) {
            const shown = await node.usersOnceUp(name, version);
            const present = new Set([
              ...(held.get(`${name} true`) ?? []),
              ...(held.get(`${name} false`) ?? []),
            ]);
            expect(shown).toEqual([...present].sort());
            expect([...foldOf(node.delivered, name).keys()].sort()).toEqual(shown);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test('are counted where counts are announced', async () => {
    await one.count('counted-x', '1', 1);
    const told = two.next((message) => message.kind === 'membership' && message.subscriptionCount === 3);
    await two.hear('counted-x');
    await one.count('counted-x', '=', 3);
    await told;
    const counts = two.delivered.map((message) => message.kind === 'membership' && message.subscriptionCount);
    expect(counts.at(-1)).toBe(3);
  });
});

describe('cached events on one Redis', () => {
  test('are recalled by every node, for as long as they are kept', async () => {
    expect(await two.cached.recall('app', 'cache-x')).toBeUndefined();
    await one.cached.remember('app', 'cache-x', { event: 'e', data: '1' });
    await one.cached.remember('app', 'cache-x', { event: 'ü', data: '' });
    expect(await two.cached.recall('app', 'cache-x')).toEqual({ event: 'ü', data: '', ttlSeconds: 60 });
  });

  test('that were remembered while Redis was away do not replace later ones', async () => {
    const partition = partitionOf('app', 'cache-x', partitions);
    await one.cached.remember('app', 'cache-x', { event: 'e', data: 'later' });
    await two.link.run('remember', partition, ['app', 'cache-x', '{"event":"e","data":"old"}', 50_000, 1]);
    expect(await two.cached.recall('app', 'cache-x')).toMatchObject({ data: 'later' });
    await two.link.run('remember', partition, ['app', 'cache-x', '{"event":"e","data":"new"}', 60_001, 1]);
    expect(await one.cached.recall('app', 'cache-x')).toMatchObject({ data: 'new' });
  });
});
