import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, went } from './holder.ts';
import { app, graceMs, openScriptStore, retainMs, type ScriptStore } from './script-store.ts';

describe('a channel in the apply script', () => {
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
  const channelHash = (name: string) => store.hash('c', app, name);

  test('is told occupied by the first holder, and by no other', async () => {
    await one.does(inChannel('room', 1, '1'));
    await two.does(inChannel('room', 4, '1'));
    expect(await store.told()).toEqual(['occupied room']);
    expect(await channelHash('room')).toMatchObject({ 'n1.1': '1', 'n2.1': '4', '#n': '2', '#k': '5' });
    expect(await store.redis.smembers(store.key('ic', 'n2.1'))).toEqual(['app-1:room']);
    expect(await store.redis.smembers(store.key('n', app))).toEqual(['room']);
  });

  test('answers how many others held it before the group', async () => {
    expect(await one.does(inChannel('room', 1, '1'))).toEqual(['0 0 -']);
    expect(await two.does(inChannel('room', 1, '1'), inChannel('room', 0, '0'))).toEqual(['0 1 -', '0 1 -']);
    expect(await one.does(inChannel('room', 2, '='))).toEqual(['0 0 -']);
  });

  test('takes the number of subscriptions as it is said', async () => {
    await one.does(inChannel('room', 1, '1'), inChannel('room', 7, '='), inChannel('room', 3, '='));
    expect(await channelHash('room')).toMatchObject({ 'n1.1': '3', '#k': '3' });
  });

  test('is told vacated when the last holder has been gone for the grace', async () => {
    await one.does(inChannel('room', 1, '1'));
    await two.does(inChannel('room', 1, '1'));
    await one.does(inChannel('room', 0, '0'));
    expect(await store.redis.zcard(store.key('g'))).toBe(0);
    await two.does(inChannel('room', 0, '0'));
    expect(await store.redis.zrange(store.key('g'), '0', '-1')).toEqual(['v:app-1:room']);
    expect(await store.told()).toEqual(['occupied room']);
    store.shiftMs += graceMs;
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect(await store.told()).toEqual(['occupied room', 'vacated room']);
  });

  test('that is back within the grace was never gone', async () => {
    await one.does(inChannel('room', 1, '1'));
    await one.doesWith({ cause: 'reconciled' }, inChannel('room', 0, '0'));
    expect(await channelHash('room')).toMatchObject({ '#x': 'reconciled' });
    await two.does(inChannel('room', 1, '1'));
    expect(await channelHash('room')).not.toHaveProperty('#x');
    expect(await one.fire({ all: true })).toEqual(['OK', 0, 0]);
    expect(await store.told()).toEqual(['occupied room']);
  });

  test('is told vacated at once without a grace', async () => {
    await one.does(inChannel('room', 1, '1'));
    await one.doesWith({ graceMs: 0, cause: 'reconciled' }, inChannel('room', 0, '0'));
    expect(await store.told()).toEqual(['occupied room', 'vacated room reconciled']);
  });

  test('that came and went, or went and came, within a group passes through both', async () => {
    const atOnce = { graceMs: 0 };
    await one.doesWith(atOnce, inChannel('room', 0, '10'));
    expect(await store.told()).toEqual(['occupied room', 'vacated room']);
    await one.doesWith(atOnce, inChannel('room', 1, '1'), inChannel('room', 2, '01'));
    expect((await store.told()).slice(2)).toEqual(['occupied room', 'vacated room', 'occupied room']);
    expect(await channelHash('room')).toMatchObject({ 'n1.1': '2', '#n': '1', '#k': '2' });
  });

  test('comes before its users and goes after them', async () => {
    const atOnce = { graceMs: 0 };
    const users = (steps: string) => ({ users: ['ada', 'bob'].map((user) => ({ user, steps })) });
    await one.doesWith(atOnce, inChannel('presence-room', 2, '1', users('1')));
    await one.doesWith(atOnce, inChannel('presence-room', 2, '01', users('01')));
    await one.doesWith(atOnce, inChannel('presence-room', 0, '0', users('0')));
    await one.doesWith(atOnce, inChannel('presence-room', 0, '10', users('10')));
    const [up, down] = [
      ['occupied presence-room', 'added presence-room ada', 'added presence-room bob'],
      ['removed presence-room ada', 'removed presence-room bob', 'vacated presence-room'],
    ];
    const came_ = ['occupied presence-room', 'added presence-room ada', 'removed presence-room ada'];
    expect(await store.told()).toEqual([
      ...[...up, ...down, ...up, ...down],
      ...[...came_, 'added presence-room bob', 'removed presence-room bob', 'vacated presence-room'],
    ]);
  });

  test('has what the holder says, whatever the store knew before', async () => {
    await one.does(inChannel('room', 2, '='));
    expect(await store.told()).toEqual(['occupied room']);
    await one.does(inChannel('room', 2, '1'), inChannel('room', 0, '='));
    expect(await channelHash('room')).toMatchObject({ '#n': '0', '#k': '0' });
    await one.does(inChannel('room', 0, '0'));
    expect(await channelHash('room')).toMatchObject({ '#n': '0', '#k': '0' });
    expect(await store.redis.zcard(store.key('g'))).toBe(1);
  });

  test('numbers its events through, whether or not anybody asks for them', async () => {
    await store.redis.srem(store.key('ea'), app);
    await one.doesWith({ graceMs: 0 }, inChannel('room', 0, '10'), inChannel('room', 1, '1'));
    expect(await store.entries()).toEqual([]);
    await store.redis.sadd(store.key('ea'), app);
    await one.doesWith({ graceMs: 0, cause: 'reconciled' }, inChannel('room', 0, '0'));
    expect(await store.entries()).toEqual([
      {
        id: '1-0',
        k: 'channel_vacated',
        c: 'room',
        t: expect.any(String),
        e: expect.stringMatching(/^store-1\.0-\d+$/),
        s: '4',
        x: 'reconciled',
      },
    ]);
  });

  test('has an epoch of its own, from its first event on', async () => {
    await one.does(inChannel('room', 1, '1'), inChannel('hall', 1, '1'));
    await one.doesWith({ graceMs: 0 }, inChannel('room', 0, '0'));
    const entries = await store.entries();
    const [room, hall] = entries.map(({ e }) => e);
    expect(room).not.toBe(hall);
    expect(entries.map(({ c, e, s }) => [c, e, s])).toEqual([
      ['room', room, '1'],
      ['hall', hall, '1'],
      ['room', room, '2'],
    ]);
  });

  test('begins an epoch when the generation was raised', async () => {
    await one.does(inChannel('room', 1, '1'));
    expect(await one.renew({ lastAcked: 5 })).toEqual(['GAP', 1]);
    await one.doesWith({ graceMs: 0 }, inChannel('room', 0, '0'), inChannel('room', 1, '1'));
    expect((await store.entries()).map(({ k, e, s }) => [k, e?.replace(/-\d+$/, ''), s])).toEqual([
      ['channel_occupied', 'store-1.0', '1'],
      ['channel_occupied', 'store-1.1', '1'],
      ['channel_vacated', 'store-1.1', '2'],
      ['channel_occupied', 'store-1.1', '3'],
    ]);
  });

  test('is remembered for the retention after it was told vacated, and for good when it is back', async () => {
    const ttl = () => store.redis.pttl(store.key('c', app, 'room'));
    await one.doesWith({ graceMs: 0 }, inChannel('room', 0, '10'));
    expect(await ttl()).toBeGreaterThan(retainMs - 60_000);
    expect(await ttl()).toBeLessThanOrEqual(retainMs);
    expect(await store.redis.exists(store.key('n', app))).toBe(0);
    await one.does(inChannel('room', 1, '1'));
    expect(await ttl()).toBe(-1);
    await one.doesWith({ graceMs: 0 }, inChannel('room', 3, '01'));
    expect(await ttl()).toBe(-1);
    await one.does(inChannel('room', 0, '0'));
    expect(await ttl()).toBe(-1);
    await one.fire({ all: true });
    expect(await ttl()).toBeGreaterThan(0);
  });

  test('leaves nothing when it is forgotten', async () => {
    await one.doesWith(
      { graceMs: 0, retainMs: 1 },
      inChannel('presence-room', 0, '10', { flags: 3, users: [{ user: 'ada', steps: '10' }] }),
    );
    while ((await store.redis.exists(store.key('c', app, 'presence-room'))) === 1);
    const keys = (await store.redis.keys('*')).map((key) => key.slice(store.key('').length));
    expect(keys.sort()).toEqual(['b', 'ea', 'h', 'lease', 'o:app-1', 'ob', 'r', 'st']);
  });

  describe('its version', () => {
    const counted = { flags: 1 };
    const versions = async () =>
      (await store.announced()).map(({ channel, version }) => `${channel} ${version}`);

    test('goes up by one with each announcement while it is occupied, whatever becomes of others', async () => {
      await one.does(inChannel('room', 1, '1', counted), inChannel('hall', 1, '1', counted));
      for (let k = 2; k < 6; k++) await one.does(inChannel('hall', k, '=', counted));
      await one.does(inChannel('hall', 0, '0', counted), inChannel('room', 2, '=', counted));
      expect((await versions()).filter((line) => line.startsWith('room'))).toEqual(['room 1', 'room 2']);
    });

    test('never falls, not even when the channel was forgotten', async () => {
      for (let round = 0; round < 3; round++) {
        await one.doesWith(
          { graceMs: 0 },
          inChannel('room', 1, '1', counted),
          inChannel('room', 0, '0', counted),
        );
        await store.redis.del(store.key('c', app, 'room'));
      }
      expect(await versions()).toEqual([1, 2, 3, 4, 5, 6].map((version) => `room ${version}`));
      expect(await one.does(inChannel('hall', 1, '1'))).toEqual(['6 0 -']);
    });

    test('is above all earlier ones in a new generation', async () => {
      await one.does(inChannel('room', 1, '1', counted));
      await one.renew({ lastAcked: 5 });
      expect(await one.does(inChannel('room', 2, '=', counted), inChannel('room', 3, '=', counted))).toEqual([
        `${2 ** 26 + 1} 0 -`,
        `${2 ** 26 + 2} 0 -`,
      ]);
      expect(await versions()).toEqual(['room 1', `room ${2 ** 26 + 1}`, `room ${2 ** 26 + 2}`]);
    });

    test('stays whole after a million generations', async () => {
      await store.redis.hset(store.key('st'), 'gen', 1_000_000);
      expect(await one.does(inChannel('room', 1, '1', counted))).toEqual([`${1_000_000 * 2 ** 26 + 1} 0 -`]);
      expect(await versions()).toEqual([`room ${1_000_000 * 2 ** 26 + 1}`]);
    });
  });

  test('is announced with the number of subscriptions when that is counted and changed', async () => {
    await one.does(inChannel('room', 1, '1', { flags: 1 }), inChannel('room', 1, '=', { flags: 1 }));
    await two.does(inChannel('room', 5, '1'), inChannel('room', 6, '=', { flags: 1 }));
    expect(await store.announced()).toEqual([
      { channel: 'room', version: 1, removed: [], added: [], count: 1 },
      { channel: 'room', version: 2, removed: [], added: [], count: 7 },
    ]);
  });

  test('is announced without a number when that is not counted', async () => {
    await one.does(inChannel('presence-room', 1, '1', { users: [came('ada', { info: '={"n":1}' })] }));
    await one.does(inChannel('presence-room', 0, '0', { users: [went('ada')] }));
    expect(await store.announced()).toEqual([
      { channel: 'presence-room', version: 1, removed: [], added: [['ada', '={"n":1}']] },
      { channel: 'presence-room', version: 2, removed: ['ada'], added: [] },
    ]);
  });
});
