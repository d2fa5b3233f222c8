import { describe, expect, test } from '@jest/globals';
import { limitsProblem } from '../../../lib/stages/limits-problem.ts';

const queue = { capacity: 10, overflow: 'reject' };
const effect = { concurrency: 2, timeoutMs: 100, queue };
const stream = { maxHoldMs: 100, queue };

describe('limits that were not type-checked', () => {
  test.each([
    ['effect', effect],
    ['effect', { ...effect, queue: { capacity: 1, overflow: 'drop-oldest' } }],
    ['stream', stream],
    ['stream', { ...stream, queue: { capacity: 1, overflow: 'drop-newest' } }],
  ] as const)('are taken for %s when they are whole: %j', (kind, limits) => {
    expect(limitsProblem(kind, limits)).toBeUndefined();
  });

  test.each([
    ['effect', undefined, 'limits are missing'],
    ['effect', 'many', 'limits are missing'],
    ['effect', { ...effect, concurrency: undefined }, 'limits.concurrency'],
    ['effect', { ...effect, concurrency: 0 }, 'limits.concurrency'],
    ['effect', { ...effect, concurrency: 1.5 }, 'limits.concurrency'],
    ['effect', { ...effect, timeoutMs: '5s' }, 'limits.timeoutMs'],
    ['effect', { ...effect, timeoutMs: Number.POSITIVE_INFINITY }, 'limits.timeoutMs'],
    ['effect', { ...effect, queue: undefined }, 'limits.queue.capacity'],
    ['effect', { ...effect, queue: { capacity: Number.NaN, overflow: 'reject' } }, 'limits.queue.capacity'],
    ['effect', { ...effect, queue: { capacity: 1, overflow: 'inline' } }, 'limits.queue.overflow'],
    ['stream', { queue }, 'limits.maxHoldMs'],
    ['stream', { ...stream, maxHoldMs: -1 }, 'limits.maxHoldMs'],
    ['stream', { ...stream, queue: { capacity: 1, overflow: 'drop-oldest' } }, 'limits.queue.overflow'],
  ] as const)('are refused for %s: %j', (kind, limits, part) => {
    expect(limitsProblem(kind, limits)).toContain(part);
  });
});
