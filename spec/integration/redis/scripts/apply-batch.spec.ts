import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, event, Holder, inChannel, openHolders, outlive, signIn, went } from './holder.ts';
import { app, graceMs, leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

describe('a batch of the apply script', () => {
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

  test('is answered with the next deadline and a text for each group', async () => {
    const replies = await one.apply([
      inChannel('presence-room', 1, '1', { users: [came('ada')] }),
      signIn('ada', '1'),
      event('room', 'cache_miss', '{"id":"n1-1"}'),
    ]);
    expect(replies).toEqual(['OK', 0, '1 0 -', '', '']);
    const beforeMs = await store.nowMs();
    const [word, deadline] = await one.apply([inChannel('presence-room', 0, '0', { users: [went('ada')] })]);
    expect(word).toBe('OK');
    expect(Number(deadline)).toBeGreaterThanOrEqual(beforeMs + graceMs);
    expect(Number(deadline)).toBeLessThanOrEqual((await store.nowMs()) + graceMs);
  });

  test('is applied once, and answered the same again', async () => {
    const groups = [inChannel('presence-room', 1, '1', { users: [came('ada')] }), signIn('ada', '1')];
    await one.apply(groups);
    const told = await store.told();
    await store.heard();
    expect(await one.apply(groups, { batch: 1 })).toEqual(['DUP', 0, '1 0 -', '']);
    expect(await store.told()).toEqual(told);
    expect(await store.heard()).toEqual([]);
    expect(await one.apply([], { batch: 2 })).toEqual(['OK', 0]);
    expect(await one.apply([], { batch: 2 })).toEqual(['DUP', 0]);
  });

  test('out of turn is answered with the last one that was applied, and changes nothing', async () => {
    await one.does(inChannel('room', 1, '1'));
    for (const batch of [0, 3, 9]) {
      expect(await one.apply([inChannel('other', 1, '1')], { batch })).toEqual(['GAP', 1]);
    }
    expect(await store.told()).toEqual(['occupied room']);
    expect(await store.hash('b')).toEqual({ 'n1.1': '1' });
  });

  test('of a holder that never had a lease is refused', async () => {
    const two = new Holder(store, 'n2.1');
    two.storeId = one.storeId;
    expect(await two.apply([inChannel('room', 1, '1')])).toEqual(['FENCED']);
    expect(await store.told()).toEqual([]);
  });

  test('of a holder whose lease ran out waits for a renewal, and is taken after it under its number', async () => {
    store.shiftMs += leaseMs + 1;
    expect(await one.apply([inChannel('room', 1, '1')], { batch: 1 })).toEqual(['EXPIRED']);
    await one.renew();
    expect(await one.apply([inChannel('room', 1, '1')], { batch: 1 })).toEqual(['OK', 0, '0 0 -']);
  });

  test('of a fenced holder is refused for good', async () => {
    const two = new Holder(store, 'n2.1');
    await two.renew();
    await outlive(store, two);
    expect((await two.renewed()).fenced).toEqual(['n1.1']);
    expect(await one.apply([inChannel('room', 1, '1')])).toEqual(['FENCED']);
    expect(await one.renew()).toEqual(['FENCED']);
  });

  test('for another store is refused with the id of this one', async () => {
    one.storeId = 'store-0';
    expect(await one.apply([inChannel('room', 1, '1')])).toEqual(['EPOCH', 'store-1']);
    await store.redis.flushall();
    expect(await one.apply([inChannel('room', 1, '1')])).toEqual(['EPOCH', '']);
  });

  test('that is cut short is an error, and changes nothing', async () => {
    const whole = inChannel('presence-room', 1, '1', { users: [came('ada')] });
    for (const broken of [whole.slice(0, -1), [...whole, 'x'], ['x', app, 'room', 1, '1', 0, 0, 0]]) {
      await expect(one.apply([inChannel('room', 1, '1'), broken], { batch: 1 })).rejects.toThrow(
        'well formed',
      );
    }
    expect(await store.told()).toEqual([]);
    expect(await store.hash('b')).toEqual({});
  });

  test('wakes the owner once, with the last number of each app that got something', async () => {
    await store.reset(['app-1', 'app-2']);
    await one.renew();
    await one.does(
      inChannel('room', 1, '1'),
      inChannel('room', 1, '1', { appId: 'app-2' }),
      inChannel('room', 1, '1', { appId: 'app-3' }),
      inChannel('hall', 1, '1'),
    );
    expect(await store.heard()).toEqual(['wake app-1 2 app-2 1']);
    await one.does(inChannel('room', 2, '='));
    expect(await store.heard()).toEqual([]);
  });

  test('puts an event into the outbox of an app with an endpoint', async () => {
    const beforeMs = await store.nowMs();
    await one.does(event('room', 'client_event', '{"id":"n1-1"}'), [
      'e',
      'app-2',
      'room',
      'cache_miss',
      '{}',
    ]);
    const [entry, ...more] = await store.entries();
    expect(more).toEqual([]);
    expect(entry).toEqual({
      id: '1-0',
      k: 'client_event',
      c: 'room',
      t: expect.any(String),
      j: '{"id":"n1-1"}',
    });
    expect(Number(entry?.['t'])).toBeGreaterThanOrEqual(beforeMs);
    expect(await store.hash('h')).toEqual({ 'app-1': '1' });
    const bytes = [...Object.entries(entry!)].reduce(
      (sum, [name, value]) => sum + (name === 'id' ? 0 : value.length),
      32,
    );
    expect(await store.hash('ob')).toEqual({ 'app-1': String(bytes) });
  });

  test('keeps the order of its groups', async () => {
    await one.does(
      event('room', 'cache_miss', '{}'),
      inChannel('room', 1, '1'),
      event('room', 'client_event', '{}'),
    );
    expect(await store.told()).toEqual(['cache_miss room', 'occupied room', 'client_event room']);
  });
});
