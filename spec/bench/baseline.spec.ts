import { describe, expect, test } from '@jest/globals';
import { compared } from '../../bench/support/baseline.ts';

const verdict = (before: number, ratio: number, better: 'less' | 'more'): boolean | undefined =>
  compared({ key: before }, [{ key: 'key', ratio, better }])[0]?.isWorse;

describe('a ratio beside its baseline', () => {
  test.each([
    [1, 1.25, 'less', false],
    [1, 1.26, 'less', true],
    [1, 0.2, 'less', false],
    [1, 0.8, 'more', false],
    [1, 0.79, 'more', true],
    [1, 5, 'more', false],
  ] as const)('%d, now %d, where %s is better: worse is %s', (before, now, better, isWorse) => {
    expect(verdict(before, now, better)).toBe(isWorse);
  });

  test('that was not measured this time is not worse', () => {
    expect(compared({ key: 1 }, [{ key: 'other', ratio: 9, better: 'less' }])).toEqual([
      { key: 'key', before: 1, now: undefined, isWorse: false },
    ]);
  });
});
