import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openStores, type StoresFixture } from '../stores.ts';

/** What every store of cached events has to do, whatever it is made of. Events are kept for a minute here. */
export function describeCachedEvents(fixture: StoresFixture): void {
  const { name } = fixture;
  function open() {
    const { stores, answerOf } = openStores(fixture, () => undefined);
    const { cachedEvents } = stores;
    return {
      remember: (channel: string, data: string, appId = 'app-1') =>
        answerOf(cachedEvents.remember(appId, channel, { event: 'e', data })),
      recall: (channel: string, appId = 'app-1') => answerOf(cachedEvents.recall(appId, channel)),
    };
  }

  describe(`a store of cached events (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    test('recalls nothing that was not remembered', async () => {
      expect(await open().recall('cache-x')).toBeUndefined();
    });

    test('recalls the last event', async () => {
      const { remember, recall } = open();
      await remember('cache-x', '1');
      await remember('cache-x', '2');
      expect(await recall('cache-x')).toMatchObject({ event: 'e', data: '2' });
    });

    test('recalls an event as often as it is asked', async () => {
      const { remember, recall } = open();
      await remember('cache-x', '1');
      await recall('cache-x');
      expect(await recall('cache-x')).toMatchObject({ data: '1' });
    });

    test('keeps channels and apps apart', async () => {
      const { remember, recall } = open();
      await remember('cache-x', '1');
      expect([await recall('cache-y'), await recall('cache-x', 'app-2')]).toEqual([undefined, undefined]);
    });

    test('keeps empty data', async () => {
      const { remember, recall } = open();
      await remember('cache-x', '');
      expect(await recall('cache-x')).toMatchObject({ data: '' });
    });

    test('says how long an event will be kept, in seconds from 1 to all', async () => {
      const { remember, recall } = open();
      await remember('cache-x', '1');
      const { ttlSeconds } = (await recall('cache-x'))!;
      expect([ttlSeconds >= 1, ttlSeconds <= 60, Number.isInteger(ttlSeconds)]).toEqual([true, true, true]);
    });
  });
}
