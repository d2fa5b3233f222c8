import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, signIn, went } from './holder.ts';
import { app, openScriptStore, type ScriptStore } from './script-store.ts';

describe('the retire script', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  let one: Holder;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());
  beforeEach(async () => {
    [one] = (await openHolders(store, 'n1.1', 'n2.1')) as [Holder];
  });

  test('forgets a holder that holds nothing, and gives ownership back', async () => {
    await one.renew({ wants: true });
    await one.does(inChannel('room', 0, '10'));
    await store.redis.sadd(store.key('qa', 'n1.1'), app);
    await store.redis.hset(store.key('q', app), 'n1.1', 5);
    await store.heard();
    expect(await one.retire()).toEqual(['OK']);
    expect(await store.heard()).toEqual(['sys o']);
    expect(await store.redis.zrange(store.key('lease'), '0', '-1')).toEqual(['n2.1']);
    expect([await store.hash('b'), await store.hash('r'), await store.hash('q', app)]).toEqual([{}, {}, {}]);
    expect(await store.hash('st')).not.toHaveProperty('own');
  });

  test('says how much a holder still holds, and changes nothing', async () => {
    await one.renew({ wants: true });
    await one.does(inChannel('presence-room', 1, '1', { users: [came('ada')] }), signIn('ada', '1'));
    expect(await one.retire()).toEqual(['HELD', 3]);
    expect((await one.renewed()).owner).toBe('n1.1');
    await one.does(inChannel('presence-room', 0, '0', { users: [went('ada')] }), signIn('ada', '0'));
    expect(await one.retire()).toEqual(['OK']);
  });

  test('leaves the owner who it is, and a store that is another alone', async () => {
    await store.redis.hset(store.key('st'), 'own', 'n2.1');
    expect(await one.retire()).toEqual(['OK']);
    expect(await store.heard()).toEqual([]);
    expect(await store.hash('st')).toMatchObject({ own: 'n2.1' });
    one.storeId = 'lost';
    expect(await one.retire()).toEqual(['EPOCH', 'store-1']);
  });
});
