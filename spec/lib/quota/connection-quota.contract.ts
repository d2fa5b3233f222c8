import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openStores, type StoresFixture } from '../stores.ts';

/** What every connection quota has to do, whatever it is made of. */
export function describeConnectionQuota(fixture: StoresFixture): void {
  const { name } = fixture;
  function open() {
    const { stores, answerOf } = openStores(fixture, () => undefined);
    const { quota } = stores;
    return {
      quota,
      answerOf,
      acquire: (limit: number, appId = 'app-1') => answerOf(quota.acquire(appId, limit)),
      release: (count = 1, appId = 'app-1') => answerOf(quota.release(appId, count)),
    };
  }

  describe(`a connection quota (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    test('grants as many connections as the limit says', async () => {
      const { acquire } = open();
      expect([await acquire(2), await acquire(2), await acquire(2)]).toEqual([true, true, false]);
    });

    test('grants any number when the limit is 0', async () => {
      const { acquire } = open();
      expect([await acquire(0), await acquire(0), await acquire(0)]).toEqual([true, true, true]);
    });

    test('counts those it granted without a limit', async () => {
      const { acquire } = open();
      await acquire(0);
      expect(await acquire(1)).toBe(false);
    });

    test('does not count what it refused', async () => {
      const { acquire, release } = open();
      await acquire(1);
      await acquire(1);
      await release();
      expect(await acquire(1)).toBe(true);
    });

    test('takes several back at once', async () => {
      const { acquire, release } = open();
      for (let i = 0; i < 3; i++) await acquire(3);
      await release(2);
      expect([await acquire(3), await acquire(3), await acquire(3)]).toEqual([true, true, false]);
    });

    test('keeps the apps apart', async () => {
      const { acquire } = open();
      await acquire(1);
      expect(await acquire(1, 'app-2')).toBe(true);
    });

    test('whatever happens, never has more in use than the limit, and refuses none below it', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 40 }), fc.nat(4), async (steps, limit) => {
          const { quota, answerOf } = open();
          let used = 0;
          const expected: boolean[] = [];
          const asked = steps.flatMap((isAcquire) => {
            if (isAcquire) {
              const granted = limit === 0 || used < limit;
              if (granted) used++;
              expected.push(granted);
              return [quota.acquire('app-1', limit)];
            }
            if (used > 0) {
              used--;
              void quota.release('app-1', 1);
            }
            return [];
          });
          expect(await Promise.all(asked.map(answerOf))).toEqual(expected);
        }),
      );
    });
  });
}
