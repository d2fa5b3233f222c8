import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AttemptsUnderWay } from '../../../../lib/outbox/redis/attempts-under-way.ts';

const lane = { appId: 'app-1', endpointId: 'hook', partition: 3 };

describe('attempts under way', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('keep their partition, and no other', () => {
    const attempts = new AttemptsUnderWay(1_000);
    attempts.begin(lane, 3);
    expect([attempts.isAtRest(3), attempts.isAtRest(4)]).toEqual([false, true]);
  });

  test('keep it until the last of them has ended', () => {
    const attempts = new AttemptsUnderWay(1_000);
    attempts.begin(lane, 3);
    attempts.begin({ ...lane, endpointId: 'other' }, 3);
    attempts.end(lane, 3);
    const one = attempts.isAtRest(3);
    attempts.end({ ...lane, endpointId: 'other' }, 3);
    expect([one, attempts.isAtRest(3)]).toEqual([false, true]);
  });

  test('are over after their time, whether or not somebody said so', () => {
    const attempts = new AttemptsUnderWay(1_000);
    attempts.begin(lane, 3);
    jest.advanceTimersByTime(999);
    const before = attempts.isAtRest(3);
    jest.advanceTimersByTime(1);
    expect([before, attempts.isAtRest(3)]).toEqual([false, true]);
  });
});
