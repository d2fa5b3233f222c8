import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { BusNode, partitions } from './bus-node.ts';

const names = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'cccccccccccc'];
let redis: RedisServer;
let nodes: BusNode[];

beforeEach(async () => {
  redis = await startRedis();
  nodes = await Promise.all(names.map((name) => new BusNode(redis.url, name).open()));
});
afterEach(async () => {
  const failures = nodes.flatMap((node) => node.failures);
  await Promise.all(nodes.map((node) => node.close()));
  await redis.stop();
  expect(failures).toEqual([]);
});

const keyOf = (app: string, name: string): string => `test:{${partitionOf(app, '', partitions)}}:${name}`;
const sharesOf = async (app: string): Promise<Readonly<Record<string, number>>> => {
  const words = (await redis.cli('HGETALL', keyOf(app, `q:${app}`))).split('\n').filter(Boolean);
  return Object.fromEntries(
    words.flatMap((word, i) => (i % 2 === 0 ? [[word, Number(words[i + 1])] as const] : [])),
  );
};

test('three nodes that race never have more connections than the limit, and the last place goes to whoever asks', async () => {
  let run = 0;
  const step = fc.record({
    node: fc.nat(2),
    count: fc.integer({ min: -4, max: 6 }),
    isAwaited: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 12 }),
      async (steps, limit) => {
        const app = `app-${++run}`;
        const open = [0, 0, 0];
        const total = (): number => open.reduce((sum, count) => sum + count, 0);
        const answers: Promise<void>[] = [];
        for (const { node, count, isAwaited } of steps) {
          const { quota } = nodes[node]!;
          for (let i = 0; i < count; i++) {
            answers.push(
              Promise.resolve(quota.acquire(app, limit)).then((isGranted) => {
                if (isGranted) open[node]!++;
                expect(total()).toBeLessThanOrEqual(limit);
              }),
            );
          }
          const left = Math.min(-count, open[node]!);
          if (left > 0) {
            open[node]! -= left;
            void quota.release(app, left);
          }
          if (isAwaited) await Promise.all(answers);
        }
        await Promise.all(answers);
        const shares = Object.values(await sharesOf(app));
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(limit);
      },
    ),
    { numRuns: 25 },
  );
});

test('a share that is not used is given to the node that asks', async () => {
  const [one, two] = nodes as [BusNode, BusNode];
  const acquire = ({ quota }: BusNode, count: number): Promise<readonly boolean[]> =>
    Promise.all(Array.from({ length: count }, async () => quota.acquire('app', 10)));
  await acquire(one, 10);
  void one.quota.release('app', 9);
  expect(await acquire(two, 9)).toEqual(Array.from({ length: 9 }, () => true));
  expect(await sharesOf('app')).toEqual({ 'aaaaaaaaaaaa.1': 1, 'bbbbbbbbbbbb.1': 9 });
  expect(await one.quota.acquire('app', 10)).toBe(false);
});

test('the shares of a node that is fenced do not count, those of one that is gone are removed', async () => {
  const [one, two] = nodes as [BusNode, BusNode];
  for (let i = 0; i < 3; i++) await one.quota.acquire('app', 3);
  expect(await two.quota.acquire('app', 3)).toBe(false);
  await redis.cli('ZADD', keyOf('app', 'lease'), '0', one.holder);
  expect(await two.quota.acquire('app', 3)).toBe(true);
  expect(await sharesOf('app')).toEqual({ 'aaaaaaaaaaaa.1': 3, 'bbbbbbbbbbbb.1': 1 });
  await redis.cli('ZREM', keyOf('app', 'lease'), one.holder);
  expect(await two.quota.acquire('app', 3)).toBe(true);
  expect(await sharesOf('app')).toEqual({ 'bbbbbbbbbbbb.1': 2 });
});

test('a node under a new name asks with what it has, even beyond the limit', async () => {
  const [one, two] = nodes as [BusNode, BusNode];
  for (let i = 0; i < 3; i++) await one.quota.acquire('app', 3);
  await redis.cli('ZADD', keyOf('app', 'lease'), '0', one.holder);
  expect(await two.quota.acquire('app', 3)).toBe(true);
  one.holder = 'aaaaaaaaaaaa.2';
  await one.renew();
  expect(await one.quota.acquire('app', 4)).toBe(false);
  expect(await sharesOf('app')).toEqual({ 'aaaaaaaaaaaa.2': 3, 'bbbbbbbbbbbb.1': 1 });
  expect(await redis.cli('SMEMBERS', keyOf('app', 'qa:aaaaaaaaaaaa.2'))).toContain('app');
});

test('a node without a lease is granted nothing', async () => {
  const [one] = nodes as [BusNode];
  await redis.cli('ZREM', keyOf('app', 'lease'), one.holder);
  expect(await one.quota.acquire('app', 3)).toBe(false);
  expect(await sharesOf('app')).toEqual({});
});
