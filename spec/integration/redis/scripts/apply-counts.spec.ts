import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Holder, inChannel, openHolders } from './holder.ts';
import { app, openScriptStore, type ScriptStore } from './script-store.ts';

const wanted = { flags: 2 };

describe('a subscription count in the apply script', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  let one: Holder;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());
  beforeEach(async () => {
    [one] = (await openHolders(store, 'n1.1')) as [Holder];
  });
  const counts = async () => {
    const told = await store.told();
    return told.flatMap((line) =>
      line.startsWith('subscription_count') ? [Number(line.split(' ').at(-1))] : [],
    );
  };
  const has = (k: number) => one.does(inChannel('room', k, '=', wanted));
  const waits = async () => [
    await store.redis.zrange(store.key('g'), '0', '-1'),
    await store.hash('c', app, 'room'),
  ];

  test('is told at each change up to 100, after what changed', async () => {
    await has(1);
    await has(100);
    await has(100);
    await has(40);
    await has(0);
    expect(await counts()).toEqual([1, 100, 40, 0]);
    expect((await store.told()).slice(0, 2)).toEqual(['occupied room', 'subscription_count room 1']);
  });

  test('is told where an endpoint wants it, and nowhere else', async () => {
    await one.does(inChannel('room', 1, '1', { flags: 1 }), inChannel('hall', 1, '1'));
    await one.does(inChannel('room', 1, '1', { ...wanted, appId: 'app-2' }));
    expect(await counts()).toEqual([]);
    expect(await store.entries('app-2')).toEqual([]);
  });

  test('has an id of its own', async () => {
    await has(1);
    await has(2);
    const ids = (await store.entries()).flatMap(({ j }) =>
      j === undefined ? [] : [JSON.parse(j) as unknown],
    );
    const id = expect.stringMatching(/^store-1\.0-x\d+$/);
    expect(ids).toEqual([
      { id, subscriptionCount: 1 },
      { id, subscriptionCount: 2 },
    ]);
    expect(new Set(ids.map((count) => JSON.stringify(count).replace(/,.*/, ''))).size).toBe(2);
  });

  test('above 100 is told once in 5 s, with the last value', async () => {
    await has(101);
    await has(150);
    await has(120);
    expect(await counts()).toEqual([101]);
    expect(await waits()).toEqual([['w:app-1:room'], expect.objectContaining({ '#cl': '120' })]);
    store.shiftMs += 3_000;
    expect((await one.fire()).slice(0, 2)).toEqual(['OK', 0]);
    store.shiftMs += 2_000;
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect(await counts()).toEqual([101, 120]);
    expect((await waits())[1]).not.toHaveProperty('#cl');
    await has(130);
    expect(await counts()).toEqual([101, 120]);
    store.shiftMs += 5_000;
    await one.renew();
    await one.fire();
    expect(await counts()).toEqual([101, 120, 130]);
    store.shiftMs += 5_000;
    await has(140);
    expect(await counts()).toEqual([101, 120, 130, 140]);
  });

  test('that falls to 100 is told, and no older one after it', async () => {
    await has(101);
    await has(150);
    await has(100);
    expect(await waits()).toEqual([[], expect.not.objectContaining({ '#cl': '150' })]);
    store.shiftMs += 5_000;
    expect(await one.fire()).toEqual(['OK', 0, 0]);
    expect(await counts()).toEqual([101, 100]);
  });

  test('that waits is dropped when it is 0 in the meantime', async () => {
    await has(101);
    await has(150);
    await has(0);
    await one.fire({ all: true });
    expect(await counts()).toEqual([101, 0]);
  });
});
