import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../lib/webhooks/backoff.ts';

const longest = () => 1;
const failures = [1, 2, 3, 4, 5, 6, 7, 100, 5_000];

describe('backoff', () => {
  test('doubles its limit from 1 s to 30 s', () => {
    const limits = failures.map((count) => backoffMs(count, false, longest));
    expect(limits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  });

  test('is at most 5 s for an endpoint that was well lately', () => {
    const limits = failures.map((count) => backoffMs(count, true, longest));
    expect(limits).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
  });

  test('has full jitter: any time from none up to the limit', () => {
    expect(backoffMs(3, false, () => 0)).toBe(0);
    expect(backoffMs(3, false, () => 0.25)).toBe(1_000);
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.boolean(), chance, (count, wasWell, random) => {
        const ms = backoffMs(count, wasWell, () => random);
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(wasWell ? 5_000 : 30_000);
      }),
    );
  });
});
