import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Holder, openHolders, outlive } from './holder.ts';
import { leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

describe('a lease that ran out', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());

  test('is fenced by the next renewal of another, with the moment and the cause', async () => {
    const [one, two] = await openHolders(store, 'n1.1', 'n2.1');
    const expiry = await store.redis.zscore(store.key('lease'), 'n1.1');
    await outlive(store, two!);
    expect(await two!.renewed()).toMatchObject({ live: ['n2.1'], fenced: ['n1.1'], nextExpiry: 0 });
    expect(await store.hash('dx')).toEqual({ 'n1.1': expiry, 'n1.1#c': 'node_lost' });
    expect(await one!.renew()).toEqual(['FENCED']);
    expect((await two!.renewed()).fenced).toEqual(['n1.1']);
  });

  test('is nobody’s fault when all have: each gets another one', async () => {
    const [one, two, three] = await openHolders(store, 'n1.1', 'n2.1', 'n3.1');
    store.shiftMs += 10 * leaseMs;
    const { live, fenced, nowMs, nextExpiry } = await two!.renewed();
    expect([[...live].sort(), fenced, nextExpiry]).toEqual([['n1.1', 'n2.1', 'n3.1'], [], nowMs + leaseMs]);
    expect((await one!.apply([]))[0]).toBe('OK');
    await outlive(store, one!, two!);
    expect((await two!.renewed()).fenced).toEqual(['n3.1']);
    expect(await three!.renew()).toEqual(['FENCED']);
  });

  test('is nobody’s fault when the store was away for a little less: who comes first pardons the others', async () => {
    const [one] = await openHolders(store, 'n1.1');
    store.shiftMs += 1_500;
    const two = new Holder(store, 'n2.1');
    await two.renew();
    // The first lease is over, the second is not.
    store.shiftMs += leaseMs - 1_000;
    expect(await two.renewed()).toMatchObject({ live: ['n1.1', 'n2.1'], fenced: [] });
    expect((await one!.apply([]))[0]).toBe('OK');
  });

  test('is fenced by a single node that renews as seldom as it may', async () => {
    const [, two] = await openHolders(store, 'n1.1', 'n2.1');
    store.shiftMs += leaseMs / 2;
    expect((await two!.renewed()).fenced).toEqual([]);
    store.shiftMs += leaseMs / 2 + 500;
    expect((await two!.renewed()).fenced).toEqual(['n1.1']);
  });

  test('is so when it should be, too, after the clock of the store was set back', async () => {
    const [, two] = await openHolders(store, 'n1.1', 'n2.1');
    store.shiftMs -= 600_000;
    const { nowMs, nextExpiry } = await two!.renewed();
    expect(nextExpiry).toBe(nowMs + leaseMs);
    await outlive(store, two!);
    expect((await two!.renewed()).fenced).toEqual(['n1.1']);
  });

  test('that was fenced stays so when all others ran out', async () => {
    const [, two, three] = await openHolders(store, 'n1.1', 'n2.1', 'n3.1');
    await outlive(store, two!, three!);
    await two!.renew();
    store.shiftMs += 10 * leaseMs;
    expect(await two!.renewed()).toMatchObject({ fenced: ['n1.1'] });
  });
});
