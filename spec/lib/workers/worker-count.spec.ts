import { describe, expect, test } from '@jest/globals';
import { workerCount } from '../../../lib/workers/worker-count.ts';

describe('how many workers', () => {
  test.each([
    [1, 8, 1],
    [3, 2, 3],
    ['auto', 8, 8],
    ['auto', 1, 1],
  ] as const)('%s on %s processors means %s', (workers, processors, count) => {
    expect(workerCount(workers, processors)).toBe(count);
  });
});
