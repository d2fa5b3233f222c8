import { describe, expect, test } from '@jest/globals';
import { RestartBackoff } from '../../../lib/workers/restart-backoff.ts';

const limits = { firstPauseMs: 100, maxPauseMs: 1_000, calmAfterMs: 60_000 };

describe('the pause before a worker is replaced', () => {
  test('doubles while workers end soon, up to a longest one', () => {
    const backoff = new RestartBackoff(limits);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.pauseMs(1, 59_999))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  test('starts over once one lived for long', () => {
    const backoff = new RestartBackoff(limits);
    backoff.pauseMs(1, 0);
    backoff.pauseMs(1, 0);
    expect(backoff.pauseMs(1, 60_000)).toBe(100);
    expect(backoff.pauseMs(1, 0)).toBe(200);
  });

  test('is of each place', () => {
    const backoff = new RestartBackoff(limits);
    backoff.pauseMs(1, 0);
    expect(backoff.pauseMs(2, 0)).toBe(100);
  });
});
