import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, went } from './holder.ts';
import { app, graceMs, leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

describe('the fire script', () => {
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
  const comesAndGoes = (channel: string) =>
    inChannel(channel, 0, '10', { users: [{ user: 'ada', steps: '10' }] });

  test('tells what is due, members before their channel, and wakes the owner once', async () => {
    await one.does(comesAndGoes('presence-b'), comesAndGoes('presence-a'));
    await store.heard();
    expect((await one.fire()).slice(0, 2)).toEqual(['OK', 0]);
    store.shiftMs += graceMs;
    expect(await one.fire()).toEqual(['OK', 4, 0]);
    expect((await store.told()).slice(4)).toEqual([
      'removed presence-a ada',
      'removed presence-b ada',
      'vacated presence-a',
      'vacated presence-b',
    ]);
    expect(await store.heard()).toEqual(['wake app-1 8']);
    expect((await store.entries()).filter(({ c }) => c === 'presence-a').map(({ s }) => s)).toEqual([
      '1',
      '2',
      '3',
      '4',
    ]);
  });

  test('takes at most as many as it is told to, and says what comes next', async () => {
    await one.does(...['a', 'b', 'c'].map((name) => comesAndGoes(`presence-${name}`)));
    store.shiftMs += graceMs;
    const [word, fired, next] = await one.fire({ max: 4 });
    expect([word, fired]).toEqual(['OK', 4]);
    expect(next).toBe(Number((await store.redis.zrange(store.key('g'), '0', '0', 'WITHSCORES'))[1]));
    expect(await one.fire({ max: 4 })).toEqual(['OK', 2, 0]);
    expect(await one.fire({ max: 4 })).toEqual(['OK', 0, 0]);
    expect(await store.told()).toHaveLength(12);
  });

  test('takes at most 256', async () => {
    await one.does(...Array.from({ length: 300 }, (_, index) => inChannel(`room-${index}`, 0, '10')));
    expect((await one.fire({ max: 10_000, all: true }))[1]).toBe(256);
    expect((await one.fire({ max: 10_000, all: true }))[1]).toBe(44);
  });

  test('leaves alone what came back, though a deadline is left', async () => {
    await one.does(comesAndGoes('presence-a'));
    await one.does(inChannel('presence-a', 1, '1', { users: [came('ada')] }));
    await store.redis.zadd(
      store.key('g'),
      1,
      `m:${app}:presence-a:ada`,
      1,
      `v:${app}:presence-a`,
      1,
      `w:${app}:presence-a`,
    );
    await store.redis.zadd(store.key('g'), 1, `m:${app}:gone:ada`, 1, `v:${app}:gone`, 1, `w:${app}:gone`);
    expect(await one.fire()).toEqual(['OK', 6, 0]);
    expect(await store.told()).toHaveLength(2);
    expect(await store.redis.exists(store.key('c', app, 'gone'))).toBe(0);
  });

  test('vacates nothing where a user is left', async () => {
    await one.does(
      inChannel('presence-a', 1, '1', { users: [came('ada')] }),
      inChannel('presence-a', 0, '0'),
    );
    await store.redis.zadd(store.key('g'), 1, `v:${app}:presence-a`);
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect(await store.told()).toHaveLength(2);
  });

  test('tells late members in the order in which they were told added', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    // Too long to be kept in the order of writing.
    const info = `="${'x'.repeat(100)}"`;
    await one.does(inChannel('presence-a', 20, '1', { users: names.map((name) => came(name, { info })) }));
    await one.doesWith({ graceMs: 9_000 }, inChannel('presence-a', 1, '=', { users: names.map(went) }));
    await one.does(inChannel('presence-a', 0, '0'));
    store.shiftMs += graceMs;
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect((await store.told()).slice(21, 41)).toEqual(names.map((name) => `removed presence-a ${name}`));
  });

  test('tells late members removed before it tells the channel vacated, each with its cause', async () => {
    await one.does(inChannel('presence-a', 2, '1', { users: [came('ada'), came('bob')] }));
    await one.doesWith(
      { graceMs: 9_000, cause: 'reconciled' },
      inChannel('presence-a', 1, '=', { users: [went('bob')] }),
    );
    await one.doesWith({ graceMs: 9_000 }, inChannel('presence-a', 1, '=', { users: [went('ada')] }));
    await one.does(inChannel('presence-a', 0, '0'));
    store.shiftMs += graceMs;
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect((await store.told()).slice(3)).toEqual([
      'removed presence-a ada',
      'removed presence-a bob reconciled',
      'vacated presence-a',
    ]);
  });

  test('says nothing to subscribers, and makes no version', async () => {
    await one.does(comesAndGoes('presence-a'));
    await store.announced();
    await one.fire({ all: true });
    expect(await store.announced()).toEqual([]);
    expect(await store.hash('c', app, 'presence-a')).toMatchObject({ '#v': '1', '#n': '0' });
  });

  test('is refused to who has no valid lease, or knows another store', async () => {
    await one.does(comesAndGoes('presence-a'));
    store.shiftMs += leaseMs + 1;
    expect(await one.fire()).toEqual(['EXPIRED']);
    await store.redis.zadd(store.key('lease'), 0, 'n1.1');
    expect(await one.fire()).toEqual(['FENCED']);
    one.storeId = 'lost';
    expect(await one.fire()).toEqual(['EPOCH', 'store-1']);
    expect(await store.told()).toHaveLength(2);
  });
});
