import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Holder, inChannel, openHolders, outlive } from './holder.ts';
import { app, graceMs, leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

describe('the renew script', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());
  beforeEach(() => store.reset());
  const holder = (name: string) => new Holder(store, name);

  describe('in an empty store', () => {
    test('makes it, and says what it is', async () => {
      const one = holder('n1.1');
      const beforeMs = await store.nowMs();
      const { nowMs, ...rest } = await one.renewed({ newStoreId: 'fresh' });
      expect(nowMs).toBeGreaterThanOrEqual(beforeMs);
      expect(rest).toEqual({
        ...{ storeId: 'fresh', gen: 0, writes: 0, nextDeadline: 0, owner: '', nextExpiry: 0 },
        ...{ live: ['n1.1'], fenced: [], heads: [] },
      });
      expect(await store.hash('st')).toEqual({ id: 'fresh', gen: '0', en: 'fresh', P: '16', schema: '1' });
    });

    test('that was wiped begins a generation above the one it had', async () => {
      const one = holder('n1.1');
      await one.renew();
      await store.reset();
      expect(await one.renew({ newStoreId: 'fresh', knownGen: 3 })).toEqual(['EPOCH', 'fresh']);
      expect(await store.redis.exists(store.key('lease'))).toBe(0);
      expect(await one.renewed({ storeId: '', knownGen: 0 })).toMatchObject({ storeId: 'fresh', gen: 4 });
    });

    test('begins above the generation of who forgot which store it knew', async () => {
      expect(await holder('n1.1').renewed({ storeId: '', knownGen: 3 })).toMatchObject({ gen: 4 });
    });

    test('begins a generation of its own for who knew another in its first', async () => {
      const one = holder('n1.1');
      expect(await one.renew({ storeId: 'lost', knownGen: 0 })).toEqual(['EPOCH', 'store-1']);
      expect(await one.renewed()).toMatchObject({ gen: 1 });
    });
  });

  test('keeps the first id of the store, and refuses a node of another number of partitions', async () => {
    await holder('n1.1').renew({ newStoreId: 'first' });
    expect(await holder('n2.1').renewed({ newStoreId: 'second' })).toMatchObject({ storeId: 'first' });
    expect(await holder('n3.1').renew({ partitions: 64 })).toEqual(['PARTITIONS', '16']);
    expect((await holder('n1.1').renewed()).live).toEqual(expect.not.arrayContaining(['n3.1']));
  });

  test('tells a node that knows another store, and raises the generation above what it knew, once', async () => {
    await holder('n1.1').renew();
    const [two, three] = [holder('n2.1'), holder('n3.1')];
    expect(await two.renew({ storeId: 'lost', knownGen: 2 })).toEqual(['EPOCH', 'store-1']);
    expect(await three.renew({ storeId: 'lost', knownGen: 2 })).toEqual(['EPOCH', 'store-1']);
    expect(await two.renewed({ storeId: '' })).toMatchObject({ gen: 3 });
  });

  test('prolongs the lease', async () => {
    const one = holder('n1.1');
    await one.renew();
    store.shiftMs += 5_000;
    const { nowMs } = await one.renewed();
    expect(await store.redis.zscore(store.key('lease'), 'n1.1')).toBe(String(nowMs + leaseMs));
  });

  test('says who else is alive, and whose lease is the next to run out', async () => {
    const [one, two, three] = [holder('n1.1'), holder('n2.1'), holder('n3.1')];
    const first = await two.renewed();
    store.shiftMs += 1_000;
    const second = await three.renewed();
    store.shiftMs += 1_000;
    expect(await one.renewed()).toMatchObject({
      live: ['n2.1', 'n3.1', 'n1.1'],
      nextExpiry: first.nowMs + leaseMs,
    });
    expect((await two.renewed()).nextExpiry).toBe(second.nowMs + leaseMs);
  });

  test('says when the next deadline is', async () => {
    const one = holder('n1.1');
    await one.renew();
    await one.does(inChannel('room', 0, '10'));
    const { nowMs, nextDeadline } = await one.renewed();
    expect(nextDeadline).toBeGreaterThan(nowMs);
    expect(nextDeadline).toBeLessThanOrEqual(nowMs + graceMs);
  });

  describe('when the store has lost batches', () => {
    test('says the last it has, and raises the generation, once for all who know the same', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.does(inChannel('room', 1, '1'));
      expect(await one!.renew({ lastAcked: 3 })).toEqual(['GAP', 1]);
      expect(await two!.renew({ lastAcked: 1 })).toEqual(['GAP', 0]);
      expect(await two!.renewed({ lastAcked: 0 })).toMatchObject({ gen: 1 });
      expect(await two!.renew({ lastAcked: 1 })).toEqual(['GAP', 0]);
      expect(await one!.renewed({ lastAcked: 1 })).toMatchObject({ gen: 2 });
      expect(await two!.renew({ lastAcked: 1, knownGen: 0 })).toEqual(['GAP', 0]);
      expect(await one!.renewed({ lastAcked: 1 })).toMatchObject({ gen: 2 });
    });

    test('has prolonged the lease all the same', async () => {
      const [one] = await openHolders(store, 'n1.1');
      store.shiftMs += leaseMs - 1_000;
      expect(await one!.renew({ lastAcked: 3 })).toEqual(['GAP', 0]);
      store.shiftMs += leaseMs - 1_000;
      expect((await one!.apply([inChannel('room', 1, '1')]))[0]).toBe('OK');
    });

    test('takes a batch that the node has no answer for yet as none', async () => {
      const [one] = await openHolders(store, 'n1.1');
      await one!.does(inChannel('room', 1, '1'));
      expect((await one!.renew({ lastAcked: 0 }))[0]).toBe('OK');
    });
  });

  describe('when the store has lost writes', () => {
    const stored = async () => Number((await store.hash('st'))['w'] ?? 0);
    const lose = (howMany: number) => store.redis.hincrby(store.key('st'), 'w', -howMany);

    test('of batches, reapings and deadlines there is a count that each raises by one', async () => {
      const [one, dead] = await openHolders(store, 'n1.1', 'n2.1');
      const counts = [await stored()];
      const counted = async () => counts.push(await stored());
      await one!.does(inChannel('room', 1, '1'), inChannel('hall', 0, '10'));
      await counted();
      await one!.fire({ all: true });
      await counted();
      await dead!.does(inChannel('room', 1, '1'));
      await counted();
      await one!.reap('n2.1', { forcedCause: 'reconciled' });
      await counted();
      expect(counts).toEqual([0, 1, 2, 3, 4]);
      expect([one!.writes, (await one!.renewed()).writes]).toEqual([4, 4]);
    });

    test('what changes nothing is not counted, and the count is said all the same', async () => {
      const [one] = await openHolders(store, 'n1.1');
      await one!.does(inChannel('room', 1, '1'));
      const { storeId } = one!;
      const words = [
        await store.run('apply', 'n1.1', storeId, 1, graceMs, 0, '', 1, ...inChannel('room', 1, '1')),
        await store.run('fire', 'n1.1', storeId, 256, 0, 1),
      ];
      expect(words.map((reply) => [reply[0], reply.at(-1)])).toEqual([
        ['DUP', 1],
        ['OK', 1],
      ]);
      expect(await one!.apply([], { batch: 9 })).toEqual(['GAP', 1]);
      expect(await one!.reap('n9.1')).toEqual(['GONE']);
      expect(await stored()).toBe(1);
    });

    test('begins a generation, once for all who know the same, and renews as usual', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.does(inChannel('room', 1, '1'), inChannel('hall', 0, '10'));
      await one!.fire({ all: true });
      await two!.renew();
      await lose(1);
      expect(await two!.renewed({ wants: true })).toMatchObject({ gen: 1, writes: 2, owner: 'n2.1' });
      expect(await one!.renewed()).toMatchObject({ gen: 1, writes: 2, storeId: 'store-1' });
      expect(await two!.renewed()).toMatchObject({ gen: 1 });
    });

    test('says GAP as well when batches of the holder are among them, in the same generation', async () => {
      const [one] = await openHolders(store, 'n1.1');
      await one!.does(inChannel('room', 1, '1'));
      await lose(1);
      await store.redis.hset(store.key('b'), 'n1.1', 0);
      expect(await one!.renew()).toEqual(['GAP', 0]);
      expect(await one!.renewed({ lastAcked: 0 })).toMatchObject({ gen: 1, writes: 1 });
    });

    test('takes more writes than the node knows of for what others did', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await two!.does(inChannel('room', 1, '1'));
      expect(await one!.renewed({ knownWrites: 0 })).toMatchObject({ gen: 0, writes: 1 });
    });

    test('begins one, too, for a node that has not heard of the generation they were lost in', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.renew({ knownWrites: 1 });
      await two!.does(inChannel('room', 1, '1'));
      expect([one!.gen, two!.gen, two!.writes]).toEqual([1, 0, 2]);
      await lose(1);
      expect(await two!.renewed()).toMatchObject({ gen: 2, writes: 2 });
      expect(await one!.renewed()).toMatchObject({ gen: 2 });
    });

    test('and with them a generation, begins one above it', async () => {
      const [one] = await openHolders(store, 'n1.1');
      expect(await one!.renewed({ knownGen: 2 })).toMatchObject({ gen: 3 });
    });
  });

  describe('the owner of the partition', () => {
    const ownerOf = async () => (await store.hash('st'))['own'];

    test('is the first who wants to be, and hears the numbers of the last entries', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.does(inChannel('room', 1, '1'), inChannel('hall', 1, '1'));
      expect(await one!.renewed()).toMatchObject({ owner: '', heads: [] });
      expect(await one!.renewed({ wants: true })).toMatchObject({ owner: 'n1.1', heads: [app, '2'] });
      expect(await two!.renewed({ wants: true })).toMatchObject({ owner: 'n1.1', heads: [] });
      expect(await store.heard()).toEqual(['wake app-1 2']);
    });

    test('gives up when told to, and says so to all', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.renew({ wants: true });
      await two!.renew({ gives: true });
      expect(await ownerOf()).toBe('n1.1');
      expect(await one!.renewed({ gives: true })).toMatchObject({ owner: '', heads: [] });
      expect(await store.heard()).toEqual(['sys o']);
      expect((await two!.renewed({ wants: true })).owner).toBe('n2.1');
    });

    test('is followed by who finds it dead and wants to be', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.renew({ wants: true });
      await outlive(store, two!);
      expect((await two!.renewed({ wants: true })).owner).toBe('n2.1');
      expect(await store.heard()).toEqual([]);
    });

    test('is taken off by who finds it dead and does not want to be, and says so to all, once', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.renew({ wants: true });
      await outlive(store, two!);
      expect((await two!.renewed()).owner).toBe('');
      expect((await two!.renewed()).owner).toBe('');
      expect(await store.heard()).toEqual(['sys o']);
    });

    test('remains so when an outage made every lease run out', async () => {
      const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
      await one!.renew({ wants: true });
      store.shiftMs += 10 * leaseMs;
      expect((await two!.renewed({ wants: true })).owner).toBe('n1.1');
    });
  });
});
