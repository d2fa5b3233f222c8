import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, outlive, signIn } from './holder.ts';
import { app, graceMs, leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

describe('the reap script', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  let dead: Holder;
  let one: Holder;
  let two: Holder;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());
  beforeEach(async () => {
    [dead, one, two] = (await openHolders(store, 'n0.1', 'n1.1', 'n2.1')) as [Holder, Holder, Holder];
  });

  /** The first holder's lease ran out a second ago; the others noticed. */
  async function die(): Promise<void> {
    await outlive(store, one, two);
    await one.renew();
    await store.heard();
  }
  const rooms = (count: number, usersEach: number, flags = 0) =>
    Array.from({ length: count }, (_, room) => {
      const users = Array.from({ length: usersEach }, (__, user) => came(`u${user}`));
      return inChannel(`presence-${room}`, usersEach, '1', { users, flags });
    });
  const leftOf = (name: string) =>
    Promise.all(['iu', 'ic', 'is'].map((index) => store.redis.scard(store.key(index, name))));

  test('takes away what a dead holder had, users before channels', async () => {
    await dead.does(...rooms(2, 2), signIn('ada', '1'), signIn('b:b', '1', 0));
    await one.does(inChannel('presence-1', 1, '1', { users: [came('u1')] }), signIn('ada', '1'));
    await die();
    const reply = await one.reap('n0.1');
    expect(reply.slice(0, 3)).toEqual(['OK', 0, 8]);
    const [said, ...more] = (await store.heard()).filter((line) => line.startsWith('sys'));
    expect([JSON.parse(said!.slice('sys u'.length)), more]).toEqual([{ a: app, u: 'b:b', o: 0, v: 3 }, []]);
    expect(await store.hash('c', app, 'presence-0')).toMatchObject({ '#n': '0', '#k': '0', '#m': '0' });
    expect(await store.hash('c', app, 'presence-1')).toMatchObject({
      'n1.1': '1',
      '#n': '1',
      '#k': '1',
      '#m': '1',
    });
    expect(await store.run('states', app, 'ada', 'b:b')).toEqual(['OK', 3, 1, 0]);
  });

  test('announces each channel once, with everybody who went', async () => {
    await dead.does(...rooms(2, 3, 1));
    await die();
    await one.reap('n0.1');
    const removed = ['u0', 'u1', 'u2'];
    expect(await store.announced()).toEqual([
      { channel: 'presence-0', version: 2, removed, added: [], count: 0 },
      { channel: 'presence-1', version: 2, removed, added: [], count: 0 },
    ]);
  });

  test('counts the grace from the end of the lease, and gives the cause', async () => {
    await dead.does(...rooms(1, 1));
    const expiryMs = Number(await store.redis.zscore(store.key('lease'), 'n0.1'));
    await die();
    expect(await one.reap('n0.1')).toEqual(['OK', 0, 2, expiryMs + graceMs]);
    expect(await store.told()).toHaveLength(2);
    store.shiftMs = store.shiftMs + expiryMs + graceMs - (await store.nowMs());
    await one.fire();
    expect((await store.told()).slice(2)).toEqual([
      'removed presence-0 u0 node_lost',
      'vacated presence-0 node_lost',
    ]);
  });

  test('tells at once without a grace', async () => {
    await dead.does(...rooms(1, 1));
    await die();
    expect(await one.reap('n0.1', { graceMs: 0 })).toEqual(['OK', 0, 2, 0]);
    expect((await store.told()).slice(2)).toEqual([
      'removed presence-0 u0 node_lost',
      'vacated presence-0 node_lost',
    ]);
    expect(await store.heard()).toContain('wake app-1 4');
  });

  test('tells the counts that were wanted', async () => {
    await dead.does(inChannel('room', 3, '1', { flags: 2 }));
    await one.does(inChannel('room', 2, '1', { flags: 2 }));
    await die();
    await one.reap('n0.1');
    expect((await store.told()).slice(1).map((line) => line.split(' ').at(-1))).toEqual(['3', '5', '2']);
  });

  test('goes in pieces that any node may do, and vacates nothing before its users went', async () => {
    await dead.does(...rooms(5, 4));
    await die();
    const reapers = [one, two];
    const taken: number[] = [];
    const ended = await Promise.all(
      reapers.map(async (reaper) => {
        for (;;) {
          const [word, left, count] = await reaper.reap('n0.1', { max: 3, graceMs: 0 });
          if (word !== 'OK') return word;
          taken.push(Number(count));
          if (left === 0) return word;
        }
      }),
    );
    expect(ended.sort()).toEqual(['GONE', 'OK']);
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(25);
    expect(Math.max(...taken)).toBe(3);
    const told = await store.told();
    expect(told.slice(25, 45).every((line) => line.startsWith('removed'))).toBe(true);
    expect(told.slice(45).map((line) => line.split(' ')[0])).toEqual(Array(5).fill('vacated'));
    for (const room of [0, 1, 2, 3, 4]) {
      const entries = (await store.entries()).filter(({ c }) => c === `presence-${room}`);
      expect(entries.map(({ s }) => Number(s))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
  });

  test('leaves no trace of the holder when it had the last entry', async () => {
    await dead.does(...rooms(1, 1));
    await store.redis.sadd(store.key('qa', 'n0.1'), app);
    await store.redis.hset(store.key('q', app), 'n0.1', 5, 'n1.1', 7);
    await die();
    expect((await one.reap('n0.1', { max: 1 })).slice(0, 3)).toEqual(['OK', 1, 1]);
    expect(await store.hash('b')).toEqual({ 'n0.1': '1' });
    expect((await one.reap('n0.1', { max: 1 })).slice(0, 3)).toEqual(['OK', 0, 1]);
    expect([await store.hash('b'), await store.hash('r'), await store.hash('dx')]).toEqual([{}, {}, {}]);
    expect(await store.hash('q', app)).toEqual({ 'n1.1': '7' });
    expect(await store.redis.exists(store.key('qa', 'n0.1'))).toBe(0);
    expect(await store.redis.zscore(store.key('lease'), 'n0.1')).toBeNull();
    expect((await one.renewed()).fenced).toEqual([]);
    expect(await one.reap('n0.1')).toEqual(['GONE']);
  });

  test('takes nothing from the living', async () => {
    await dead.does(...rooms(1, 1));
    expect(await one.reap('n0.1')).toEqual(['LIVE']);
    store.shiftMs += leaseMs + 1_000;
    await one.renew();
    expect(await one.reap('n0.1')).toEqual(['LIVE']);
    expect(await leftOf('n0.1')).toEqual([1, 1, 0]);
  });

  test('fences the former name of a node that drops it, with the cause it gives', async () => {
    await dead.does(...rooms(1, 1));
    const beforeMs = await store.nowMs();
    const [, left, taken, deadline] = await one.reap('n0.1', { max: 1, forcedCause: 'reconciled' });
    expect([left, taken]).toEqual([1, 1]);
    expect(Number(deadline)).toBeGreaterThanOrEqual(beforeMs + graceMs);
    expect(await dead.apply([])).toEqual(['FENCED']);
    await one.reap('n0.1', { forcedCause: 'node_lost' });
    await one.fire({ all: true });
    expect((await store.told()).slice(2)).toEqual([
      'removed presence-0 u0 reconciled',
      'vacated presence-0 reconciled',
    ]);
    expect(await one.reap('n0.1', { forcedCause: 'reconciled' })).toEqual(['GONE']);
  });

  test('keeps what the node holds under its new name', async () => {
    await dead.does(...rooms(1, 1));
    await one.doesWith({ cause: 'reconciled' }, ...rooms(1, 1));
    await one.reap('n0.1', { forcedCause: 'reconciled' });
    expect(await one.fire({ all: true })).toEqual(['OK', 0, 0]);
    expect(await store.told()).toHaveLength(2);
    expect(await store.announced()).toHaveLength(1);
    expect(await store.hash('c', app, 'presence-0')).toMatchObject({ 'n1.1': '1', '#n': '1', '#m': '1' });
  });

  test('is refused to who has no valid lease, or knows another store', async () => {
    await dead.does(...rooms(1, 1));
    await die();
    expect(await dead.reap('n0.1')).toEqual(['FENCED']);
    store.shiftMs += leaseMs;
    expect(await two.reap('n0.1')).toEqual(['EXPIRED']);
    one.storeId = 'lost';
    expect(await one.reap('n0.1')).toEqual(['EPOCH', 'store-1']);
    expect(await leftOf('n0.1')).toEqual([1, 1, 0]);
  });
});
