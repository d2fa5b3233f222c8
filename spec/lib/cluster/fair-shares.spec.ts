import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fairShares } from '../../../lib/cluster/fair-shares.ts';

describe('shares', () => {
  test.each([
    [[10, 20], 64, [10, 20]],
    [[1000, 20], 64, [44, 20]],
    [[1000, 1000, 0], 64, [32, 32, 0]],
    [[100, 5, 100], 65, [30, 5, 30]],
    [[], 64, []],
  ])('of %p in %d are %p', (wanted, room, shares) => {
    expect(fairShares(wanted, room)).toEqual(shares);
  });

  test('are never more than wanted or than there is room, and leave no room while somebody wants more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { maxLength: 5 }),
        fc.integer({ min: 1, max: 256 }),
        (wanted, room) => {
          const shares = fairShares(wanted, room);
          const given = shares.reduce((sum, share) => sum + share, 0);
          const all = wanted.reduce((sum, want) => sum + want, 0);
          expect(shares.every((share, i) => share <= wanted[i]!)).toBe(true);
          expect(given).toBe(Math.min(room, all));
        },
      ),
    );
  });
});
