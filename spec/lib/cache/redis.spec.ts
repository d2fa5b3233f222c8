import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { RedisCachedEvents } from '../../../lib/cache/redis.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { StoreAway } from '../../../lib/redis/store-link.ts';
import { type Call, FakeLink } from '../fake-link.ts';
import { settled } from '../flow/promises.ts';
import { ManualClock } from '../manual-clock.ts';

const app = 'app-1';
const event = (data: string) => ({ event: 'e', data });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function open() {
  const link = new FakeLink();
  const clock = new ManualClock();
  const failures: unknown[] = [];
  const cached = new RedisCachedEvents(60, { link, clock, onFailed: (error) => failures.push(error) });
  const written = (): readonly Call[] => link.calls.filter(({ script }) => script === 'remember');
  return { link, clock, cached, failures, written };
}

describe('cached events that nodes share', () => {
  test('are remembered in the partition of their channel', async () => {
    const { cached, written } = open();
    await cached.remember(app, 'cache-x', event('1'));
    expect(written()).toEqual([
      {
        script: 'remember',
        partition: partitionOf(app, 'cache-x', 4),
        args: [app, 'cache-x', '{"event":"e","data":"1"}', 60_000, 0],
      },
    ]);
    expect(cached.unwritten).toBe(0);
  });

  test('are recalled with what is left of their time, in seconds, at least one', async () => {
    const { link, cached } = open();
    link.answer = () => ['OK', '{"event":"e","data":"1"}', 39_001];
    expect(await cached.recall(app, 'cache-x')).toEqual({ ...event('1'), ttlSeconds: 40 });
    link.answer = () => ['OK', '{"event":"e","data":"1"}', 0];
    expect(await cached.recall(app, 'cache-x')).toEqual({ ...event('1'), ttlSeconds: 1 });
  });

  test('are not there when the store has none', async () => {
    const { link, cached } = open();
    link.answer = () => ['NONE'];
    expect(await cached.recall(app, 'cache-x')).toBeUndefined();
  });

  test('fail with the script', async () => {
    const { link, cached } = open();
    link.answer = () => ['WHAT'];
    await expect(cached.recall(app, 'cache-x')).rejects.toThrow('"recall"');
    link.answer = () => Promise.reject(new Error('ERR script'));
    await expect(cached.remember(app, 'cache-x', event('1'))).rejects.toThrow('ERR script');
    await expect(cached.recall(app, 'cache-x')).rejects.toThrow('ERR script');
    expect(cached.unwritten).toBe(0);
  });

  test('answer with what is being written', async () => {
    const { link, cached } = open();
    link.answer = () => new Promise(() => undefined);
    void cached.remember(app, 'cache-x', event('1'));
    expect(await cached.recall(app, 'cache-x')).toMatchObject(event('1'));
  });
});

describe('while the store is away', () => {
  test('what was remembered here answers at once', () => {
    const { link, cached } = open();
    link.up$.next(false);
    expect(cached.remember(app, 'cache-x', event('1'))).toBeUndefined();
    expect(cached.recall(app, 'cache-x')).toMatchObject(event('1'));
    expect(cached.recall(app, 'cache-y')).toBeUndefined();
  });

  test('what was remembered here before answers too', async () => {
    const { link, cached } = open();
    await cached.remember(app, 'cache-x', event('1'));
    link.up$.next(false);
    expect(cached.recall(app, 'cache-x')).toMatchObject(event('1'));
    link.up$.next(true);
    link.answer = () => Promise.reject(new StoreAway('slow'));
    expect(await cached.recall(app, 'cache-x')).toMatchObject(event('1'));
  });

  test('the last of each channel is written when it is back, with what is left of its time, unless there is a later one', async () => {
    const { link, clock, cached, written } = open();
    link.up$.next(false);
    void cached.remember(app, 'cache-x', event('1'));
    clock.advance(10_000);
    void cached.remember(app, 'cache-x', event('2'));
    void cached.remember(app, 'cache-y', event('3'));
    clock.advance(5_000);
    link.up$.next(true);
    await settled();
    expect(written().map(({ args }) => args.slice(1))).toEqual([
      ['cache-x', '{"event":"e","data":"2"}', 55_000, 1],
      ['cache-y', '{"event":"e","data":"3"}', 55_000, 1],
    ]);
    expect(cached.unwritten).toBe(0);
  });

  test('what is too old when it is back is not written', async () => {
    const { link, clock, cached, written } = open();
    link.up$.next(false);
    void cached.remember(app, 'cache-x', event('1'));
    clock.advance(60_001);
    link.up$.next(true);
    await settled();
    expect([written(), cached.unwritten, cached.leftOut]).toEqual([[], 0, 0]);
  });

  test('what had no room here is left out, and counted', async () => {
    const { link, cached, written } = open();
    link.up$.next(false);
    for (let i = 0; i < 5; i++) void cached.remember(app, `cache-${i}`, event('x'.repeat(8 * 1024 * 1024)));
    link.up$.next(true);
    await settled();
    expect([written().length + cached.leftOut, cached.leftOut > 0]).toEqual([5, true]);
  });

  test('no more than a hundred thousand wait', () => {
    const { link, cached } = open();
    link.up$.next(false);
    for (let i = 0; i < 100_002; i++) void cached.remember(app, `cache-${i}`, event(''));
    expect([cached.unwritten, cached.leftOut]).toEqual([100_000, 2]);
  });
});

test('an event whose writing was not answered is written again a second later', async () => {
  const { link, cached, written } = open();
  link.answer = () => Promise.reject(new StoreAway('slow'));
  await cached.remember(app, 'cache-x', event('1'));
  expect(cached.unwritten).toBe(1);
  link.answer = () => ['OK'];
  jest.advanceTimersByTime(1_000);
  await settled();
  expect([written().length, written().at(-1)!.args.at(-1), cached.unwritten]).toEqual([2, 1, 0]);
});

test('an event that was not answered is not written over a later one', async () => {
  const { link, cached, written } = open();
  link.answer = () => Promise.reject(new StoreAway('slow'));
  await cached.remember(app, 'cache-x', event('1'));
  link.answer = () => ['OK'];
  await cached.remember(app, 'cache-x', event('2'));
  jest.advanceTimersByTime(1_000);
  await settled();
  expect(written().map(({ args }) => args[2])).toEqual([
    '{"event":"e","data":"1"}',
    '{"event":"e","data":"2"}',
  ]);
});

test('events that the store refuses when it is back are told and left out, the others written', async () => {
  const { link, cached, failures } = open();
  link.up$.next(false);
  void cached.remember(app, 'cache-x', event('1'));
  void cached.remember(app, 'cache-y', event('2'));
  link.answer = ({ args }) => (args[1] === 'cache-x' ? Promise.reject(new Error('ERR script')) : ['OK']);
  link.up$.next(true);
  await settled();
  expect([failures.length, cached.unwritten]).toEqual([1, 0]);
});
