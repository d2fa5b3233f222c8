import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, went } from './holder.ts';
import { app, openScriptStore, type ScriptStore } from './script-store.ts';

const room = 'presence-room';

describe('the scripts that answer questions', () => {
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

  describe('view', () => {
    test('gives the version, the subscriptions and the users who are present', async () => {
      await one.does(
        inChannel(room, 3, '1', { users: [came('ada', { info: '={"n":1}' }), came('bob'), came('eve')] }),
      );
      await two.does(inChannel(room, 2, '1', { users: [came('ada')] }));
      await one.does(inChannel(room, 2, '=', { users: [went('eve')] }));
      const [word, version, subscriptions, count, ...users] = await store.run('view', app, room, 10);
      expect([word, version, subscriptions, count]).toEqual(['OK', 2, 4, 2]);
      expect(users).toEqual(['ada', '={"n":1}', 'bob', '-']);
    });

    test('of a channel that nobody knows is empty, at the version before the one it would get', async () => {
      expect(await store.run('view', app, room, 10)).toEqual(['OK', 0, 0, 0]);
      await one.does(inChannel('presence-hall', 0, '10', { users: [{ user: 'ada', steps: '10' }] }));
      expect(await store.run('view', app, room, 10)).toEqual(['OK', 1, 0, 0]);
      expect(await one.does(inChannel(room, 1, '1', { users: [came('ada')] }))).toEqual(['2 0 -']);
      expect(await one.renew({ lastAcked: 9 })).toEqual(['GAP', 2]);
      expect((await store.run('view', app, room, 10))[1]).toBe(2 ** 26);
    });

    test('says that there are more users than it may give', async () => {
      await one.does(inChannel(room, 3, '1', { users: [came('ada'), came('bob'), came('eve')] }));
      expect(await store.run('view', app, room, 2)).toEqual(['LARGE', 1, 3]);
      expect(await store.run('view', app, room, 3)).toHaveLength(10);
    });

    test('writes nothing', async () => {
      await store.run('view', app, room, 10);
      expect(await store.redis.exists(store.key('c', app, room))).toBe(0);
    });
  });

  describe('channels', () => {
    test('gives those with subscriptions whose name begins with the prefix', async () => {
      await one.does(
        inChannel('room-1', 2, '1'),
        inChannel('room-2', 0, '10'),
        inChannel('a-room', 1, '1'),
        inChannel('room', 1, '1', { appId: 'app-2' }),
        inChannel(room, 2, '1', { users: [came('ada'), came('bob')] }),
      );
      const channels = async (prefix: string) => {
        const [word, ...rest] = await store.run('channels', app, prefix);
        expect(word).toBe('OK');
        return rest.flatMap((_, at) => (at % 3 === 0 ? [rest.slice(at, at + 3)] : [])).sort();
      };
      expect(await channels('room')).toEqual([['room-1', 2, 0]]);
      expect(await channels('')).toEqual([
        ['a-room', 1, 0],
        [room, 2, 2],
        ['room-1', 2, 0],
      ]);
      expect(await channels('%a')).toEqual([]);
    });
  });

  describe('channel and users', () => {
    test('count and name who is present, not who is in grace', async () => {
      await one.does(inChannel(room, 3, '1', { users: [came('ada'), came('bob')] }));
      await one.does(inChannel(room, 1, '=', { users: [went('ada')] }));
      expect(await store.run('channel', app, room)).toEqual(['OK', 1, 1]);
      expect(await store.run('users', app, room)).toEqual(['OK', 'bob']);
    });

    test('are empty for a channel where nobody is', async () => {
      expect(await store.run('channel', app, room)).toEqual(['OK', 0, 0]);
      expect(await store.run('users', app, room)).toEqual(['OK']);
    });
  });
});
