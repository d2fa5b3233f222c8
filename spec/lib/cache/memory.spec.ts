import { describe, expect, test } from '@jest/globals';
import { MemoryCachedEvents } from '../../../lib/cache/memory.ts';
import { ManualClock } from '../manual-clock.ts';
import { everyStores } from '../stores.ts';
import { describeCachedEvents } from './cached-events.contract.ts';

for (const fixture of everyStores) describeCachedEvents(fixture);

describe('cached events in memory', () => {
  function open() {
    const clock = new ManualClock();
    return { clock, cached: new MemoryCachedEvents(60, clock) };
  }
  const event = { event: 'e', data: 'd' };

  test('are recalled with what is left of their time, rounded up', () => {
    const { clock, cached } = open();
    cached.remember('app-1', 'cache-x', event);
    clock.advance(20_500);
    expect(cached.recall('app-1', 'cache-x')).toEqual({ ...event, ttlSeconds: 40 });
  });

  test('are recalled until the last moment, with at least a second', () => {
    const { clock, cached } = open();
    cached.remember('app-1', 'cache-x', event);
    clock.advance(59_999);
    expect(cached.recall('app-1', 'cache-x')?.ttlSeconds).toBe(1);
  });

  test('are forgotten after their time', () => {
    const { clock, cached } = open();
    cached.remember('app-1', 'cache-x', event);
    clock.advance(60_001);
    expect(cached.recall('app-1', 'cache-x')).toBeUndefined();
  });

  test('are kept anew with each event', () => {
    const { clock, cached } = open();
    cached.remember('app-1', 'cache-x', event);
    clock.advance(59_000);
    cached.remember('app-1', 'cache-x', event);
    clock.advance(59_000);
    expect(cached.recall('app-1', 'cache-x')).toBeDefined();
  });

  test('are bounded by their bytes: the least recently used goes first', () => {
    const { cached } = open();
    const large = { event: 'e', data: 'x'.repeat(8 * 1024 * 1024) };
    for (const channel of ['1', '2', '3', '4', '5']) cached.remember('app-1', channel, large);
    expect([cached.recall('app-1', '1'), cached.recall('app-1', '5')?.event]).toEqual([undefined, 'e']);
  });
});
