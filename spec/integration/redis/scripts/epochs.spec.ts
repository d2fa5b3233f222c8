import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Group, Holder, inChannel, openHolders, outlive, went } from './holder.ts';
import { app, graceMs, leaseMs, openScriptStore, type ScriptStore } from './script-store.ts';

const room = 'presence-room';

/** Of the epochs of a store that is called `store-1`. */
function generationOf(epoch: string): string {
  return /^store-1\.(?<generation>\d+)-\d+$/.exec(epoch)?.groups?.['generation'] ?? epoch;
}

describe('a channel that was told occupied in an earlier generation', () => {
  let store: ScriptStore;
  let close: () => Promise<void>;
  let one: Holder;
  let two: Holder;
  beforeAll(async () => {
    ({ store, close } = await openScriptStore());
  });
  afterAll(() => close());
  beforeEach(async () => {
    [one, two] = (await openHolders(store, 'n1.1', 'n2.1')) as [Holder, Holder];
  });

  const joins = (subscriptions: number, ...users: readonly string[]): Group =>
    inChannel(room, subscriptions, subscriptions === users.length ? '1' : '=', {
      users: users.map((user) => came(user)),
    });
  const leaves = (subscriptions: number, ...users: readonly string[]): Group =>
    inChannel(room, subscriptions, subscriptions === 0 ? '0' : '=', { users: users.map(went) });

  /** The store has fallen back, and both nodes know. */
  async function raise(): Promise<void> {
    await one.renew({ knownWrites: one.writes + 1 });
    await two.renew();
    expect([one.gen, two.gen]).toEqual([1, 1]);
  }

  /** What was told of it since the first `known` entries: kind, user and cause, epoch (generation, which one it is), seq. */
  async function toldAfter(known: number, channel = room): Promise<readonly string[]> {
    const all = await store.entries();
    const epochs = [...new Set(all.map(({ e }) => e!))];
    const nameOf = (epoch: string) => `${generationOf(epoch)}-${epochs.indexOf(epoch) + 1}`;
    return all
      .slice(known)
      .filter(({ c }) => c === channel)
      .map(({ k, u, x, e, s }) =>
        [k?.replace(/^(channel|member)_/, ''), u, x, `${nameOf(e!)}-${s!}`]
          .filter((part) => part !== undefined)
          .join(' '),
      );
  }

  test('is told anew when a batch comes to it, and then what the batch does', async () => {
    await one.does(joins(2, 'bob', 'ada'));
    await raise();
    await two.does(joins(1, 'eve'));
    expect(await toldAfter(3)).toEqual([
      'occupied reconciled 1-2-1',
      'added bob reconciled 1-2-2',
      'added ada reconciled 1-2-3',
      'added eve reconciled 1-2-4',
    ]);
    expect(await store.hash('c', app, room)).toMatchObject({ '#o': '1', '#s': '4', '#g': '1' });
    expect(await store.hash('u', app, room)).toEqual({ bob: '1|2||-', ada: '1|3||-', eve: '1|4||-' });
  });

  test('is told anew with members in grace, whose removal follows', async () => {
    await one.does(joins(2, 'ada', 'bob'));
    await one.does(leaves(1, 'ada'));
    await raise();
    store.shiftMs += graceMs;
    expect((await one.fire()).slice(0, 2)).toEqual(['OK', 1]);
    expect(await toldAfter(3)).toEqual([
      'occupied reconciled 1-2-1',
      'added ada reconciled 1-2-2',
      'added bob reconciled 1-2-3',
      'removed ada reconciled 1-2-4',
    ]);
  });

  test('is told anew before it is told vacated', async () => {
    await one.does(joins(1, 'ada'));
    await one.does(leaves(0, 'ada'));
    await raise();
    await two.fire({ all: true });
    expect(await toldAfter(2)).toEqual([
      'occupied reconciled 1-2-1',
      'added ada reconciled 1-2-2',
      'removed ada reconciled 1-2-3',
      'vacated reconciled 1-2-4',
    ]);
    expect(await store.hash('c', app, room)).not.toHaveProperty('#o');
  });

  test('is told anew when a dead holder is reaped', async () => {
    await one.does(joins(1, 'ada'));
    await raise();
    await outlive(store, two);
    await two.renew();
    await two.reap('n1.1', { graceMs: 0 });
    expect(await toldAfter(2)).toEqual([
      'occupied reconciled 1-2-1',
      'added ada reconciled 1-2-2',
      'removed ada node_lost 1-2-3',
      'vacated node_lost 1-2-4',
    ]);
  });

  test('is told anew once, however often it is changed', async () => {
    await one.does(inChannel('hall', 1, '1'));
    await raise();
    await one.does(inChannel('hall', 2, '='), inChannel('hall', 3, '='));
    await two.does(inChannel('hall', 1, '1'));
    expect(await toldAfter(1, 'hall')).toEqual(['occupied reconciled 1-2-1']);
    expect(await store.heard()).toContain(`wake ${app} 2`);
  });

  test('is told anew in each generation', async () => {
    await one.does(inChannel('hall', 1, '1'));
    await raise();
    await one.does(inChannel('hall', 2, '='));
    await one.renew({ knownWrites: one.writes + 1 });
    await one.does(inChannel('hall', 3, '='));
    expect(await toldAfter(1, 'hall')).toEqual(['occupied reconciled 1-2-1', 'occupied reconciled 2-3-1']);
  });

  test('stays in its epoch while nobody changes it, whoever asks', async () => {
    await one.does(joins(1, 'ada'), inChannel('hall', 1, '1'));
    const before = await store.hash('c', app, room);
    await raise();
    await two.does(inChannel('hall', 1, '1'));
    for (const question of ['view', 'channel', 'users', 'channels'] as const) {
      await store.run(question, app, room, 10);
    }
    expect(await store.hash('c', app, room)).toEqual(before);
    expect(await toldAfter(0)).toEqual(['occupied 0-1-1', 'added ada 0-1-2']);
  });

  test('is numbered anew where nobody asks for its events', async () => {
    await one.does(joins(1, 'ada'));
    await store.redis.srem(store.key('ea'), app);
    await raise();
    await two.does(joins(1, 'eve'));
    expect(await toldAfter(2)).toEqual([]);
    expect(await store.hash('u', app, room)).toEqual({ ada: '1|2||-', eve: '1|3||-' });
  });

  test('and vacated since begins as ever', async () => {
    await one.doesWith({ graceMs: 0 }, inChannel('hall', 0, '10'));
    await raise();
    await two.does(inChannel('hall', 1, '1'));
    expect(await toldAfter(2, 'hall')).toEqual(['occupied reconciled 1-2-1']);
  });

  test('has no id twice in the snapshot of a new endpoint', async () => {
    await one.does(joins(1, 'ada'));
    await raise();
    await two.does(joins(1, 'eve'));
    await store.run('endpoints', 'n1', app, 'orders');
    const folded = await store.redis.lrange(store.key('fo', app, 'orders'), 0, -1);
    const events = folded.map((text) => JSON.parse(text) as Readonly<Record<string, string>>);
    const { '#e': epoch } = await store.hash('c', app, room);
    expect(events.map(({ id, kind, userId }) => [id, kind, userId])).toEqual([
      [`${epoch!}-1`, 'channel_occupied', undefined],
      [`${epoch!}-2`, 'member_added', 'ada'],
      [`${epoch!}-3`, 'member_added', 'eve'],
    ]);
    expect(generationOf(epoch!)).toBe('1');
  });
});

describe('what is told', () => {
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

  const visit = (channel: string): Group =>
    inChannel(channel, 0, '10', { users: [came('ada', { steps: '10' })] });

  test('without a cause while nodes may still come to say what they hold is reconciled', async () => {
    await one.renew({ knownWrites: one.writes + 1 });
    store.shiftMs += leaseMs - 1_000;
    await one.renew();
    await one.doesWith({ graceMs: 0 }, visit('presence-a'));
    store.shiftMs += 1_000;
    await one.doesWith({ graceMs: 0 }, visit('presence-b'));
    expect(await store.told()).toEqual([
      'occupied presence-a reconciled',
      'added presence-a ada reconciled',
      'removed presence-a ada reconciled',
      'vacated presence-a reconciled',
      'occupied presence-b',
      'added presence-b ada',
      'removed presence-b ada',
      'vacated presence-b',
    ]);
  });

  test('in a store that was wiped is reconciled as long', async () => {
    await store.reset();
    await one.renew({ knownGen: 3, newStoreId: 'wiped' });
    await one.renew({ storeId: 'wiped', lastAcked: 0 });
    await one.does(inChannel('hall', 1, '1'));
    expect(await store.told()).toEqual(['occupied hall reconciled']);
  });

  test('in a new store is not', async () => {
    await one.does(inChannel('hall', 1, '1'));
    expect(await store.told()).toEqual(['occupied hall']);
    expect(await store.hash('st')).not.toHaveProperty('rx');
  });

  test('with a cause keeps it', async () => {
    await one.renew({ knownWrites: one.writes + 1 });
    const [two] = [new Holder(store, 'n2.1')];
    await two.renew();
    await one.does(inChannel('hall', 1, '1'));
    await store.redis.hset(store.key('dx'), 'n1.1', await store.nowMs(), 'n1.1#c', 'node_lost');
    await store.redis.zadd(store.key('lease'), 0, 'n1.1');
    await two.reap('n1.1', { graceMs: 0 });
    expect(await store.told()).toEqual(['occupied hall reconciled', 'vacated hall node_lost']);
  });

  test('after the store fell back, and nobody who knew is there, has no id of before', async () => {
    const epochsAfter = async (channel: string): Promise<readonly (string | undefined)[]> => {
      await one.does(inChannel(channel, 1, '1', { flags: 2 }));
      return (await store.entries()).map(({ e, j }) => e ?? /"id":"([^"]+)"/.exec(j!)?.[1]);
    };
    const before = await epochsAfter('room');
    await openHolders(store, 'n1.1');
    one = new Holder(store, 'n2.1');
    await one.renew();
    store.shiftMs += 1_000;
    const after = await epochsAfter('hall');
    expect([before.length, after.length, new Set([...before, ...after]).size]).toEqual([2, 2, 4]);
  });
});
