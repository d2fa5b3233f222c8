import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { MembershipChange } from '../../../../lib/membership/membership-store.ts';
import type { RedisMembershipOptions } from '../../../../lib/membership/redis/redis-membership-store.ts';
import { GroupModel } from './group-model.ts';
import { join, leave, openNode, room } from './open-node.ts';

function open(own: Partial<RedisMembershipOptions> = {}) {
  const model = new GroupModel();
  const node = openNode(model, own);
  /** Users whom another node has brought. */
  const elsewhere = (...users: readonly string[]): void => {
    const args = users.flatMap((user) => [user, '1', 0, '-']);
    model.apply('other', [['c', 'app-1', room, 1, '1', 0, 0, users.length, ...args]]);
    node.views.read(model, [room]);
  };
  /** The arguments of the groups that a call makes, behind `c app-1 room`. */
  const told = (...changes: readonly MembershipChange[]) => {
    void node.store.apply(changes);
    return node.send().map((args) => args.slice(3));
  };
  return { model, elsewhere, told, ...node };
}

const ada = { user: 'ada' };

describe('membership on the shared store', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  describe('tells the store', () => {
    test('of a channel that came, how many subscriptions there are', () => {
      const { told } = open();
      expect(told(join('1.1'), join('1.2'))).toEqual([[2, '1', 0, 0, 0]]);
    });

    test('of a channel that went', () => {
      const { told } = open();
      told(join('1.1'));
      expect(told(leave('1.1'))).toEqual([[0, '0', 0, 0, 0]]);
    });

    test('of a channel that came and went within a call', () => {
      const { told } = open();
      expect(told(join('1.1'), leave('1.1'))).toEqual([[0, '10', 0, 0, 0]]);
    });

    test('of a channel that went and came within a call', () => {
      const { told } = open();
      told(join('1.1'));
      expect(told(leave('1.1'), join('1.2'))).toEqual([[1, '01', 0, 0, 0]]);
    });

    test('of a channel that came, went and came within a call that it came', () => {
      const { told } = open();
      expect(told(join('1.1'), leave('1.1'), join('1.2'))).toEqual([[1, '1', 0, 0, 0]]);
    });

    test('of a user who came, with limit and info', () => {
      const { told } = open();
      const member = { userId: 'ada', userInfoJson: '{"n":1}' };
      expect(told(join('1.1', { member, maxMembers: 5 }))).toEqual([
        [1, '1', 0, 5, 1, 'ada', '1', 5, '={"n":1}'],
      ]);
    });

    test('once more, should it lose that, what it decided: who was refused is left out, and no limit counts', () => {
      const { elsewhere, store, commit } = open();
      elsewhere('zoe');
      const limited = (socketId: string, user: string) => join(socketId, { user, maxMembers: 2 });
      void store.apply([limited('1.1', 'ada'), limited('1.2', 'bob'), limited('1.3', 'cleo')]);
      void store.apply([join('1.4', { user: 'ada' }), join('1.5', { counted: true })]);
      const groups = store.take(0, 64);
      const said = () => groups.map(({ args }) => args.slice(3));
      expect(said()).toEqual([
        [3, '1', 0, 2, 3, 'ada', '1', 2, '-', 'bob', '1', 2, '-', 'cleo', '1', 2, '-'],
      ]);
      commit(groups);
      expect(said()).toEqual([[1, '1', 0, 0, 1, 'ada', '1', 0, '-']]);
    });

    test('once more of a channel whose number follows one who was refused', () => {
      const { elsewhere, store, commit } = open();
      elsewhere('zoe');
      void store.apply([join('1.1', { counted: true })]);
      commit(store.take(0, 64));
      void store.apply([join('1.2', { user: 'bob', maxMembers: 1 })]);
      void store.apply([join('1.3', { counted: true })]);
      const groups = store.take(0, 64);
      commit(groups);
      expect(groups.map(({ args }) => args.slice(3))).toEqual([
        [1, '=', 0, 0, 0],
        [2, '=', 1, 0, 0],
      ]);
    });

    test('of a user without info', () => {
      const { told } = open();
      expect(told(join('1.1', ada))).toEqual([[1, '1', 0, 0, 1, 'ada', '1', 0, '-']]);
    });

    test('of users who went, came and went, and went and came, in a channel that stays', () => {
      const { told } = open();
      told(join('1.1', ada), join('1.2', { user: 'bob' }), join('1.3', { user: 'cleo' }));
      const back = join('1.2', { incarnation: 2, user: 'bob' });
      const groups = told(leave('1.1'), join('1.4', { user: 'dan' }), leave('1.4'), leave('1.2'), back);
      expect(groups).toEqual([
        [2, '=', 0, 0, 3, 'ada', '0', 0, '-', 'dan', '10', 0, '-', 'bob', '01', 0, '-'],
      ]);
    });

    test('nothing of a second connection of a user, but the number a second later', () => {
      const { told, store, pokes, send } = open();
      told(join('1.1', ada));
      expect(told(join('1.2', ada))).toEqual([]);
      pokes.length = 0;
      jest.advanceTimersByTime(1_000);
      expect([pokes, store.waiting(0)]).toEqual([[0], { changes: 1, isUrgent: false }]);
      expect(send().map((args) => args.slice(3))).toEqual([[2, '1', 0, 0, 0]]);
    });

    test('nothing of a number that is again what it was told', () => {
      const { told, store } = open();
      told(join('1.1'));
      told(join('1.2'));
      told(leave('1.2'));
      jest.advanceTimersByTime(1_000);
      expect([store.waiting(0).changes, jest.getTimerCount()]).toEqual([0, 0]);
    });

    test('a number that is announced at once', () => {
      const { told } = open();
      told(join('1.1', { counted: true }));
      expect(told(join('1.2', { counted: true }))).toEqual([[2, '=', 1, 0, 0]]);
    });

    test('that an endpoint wants the numbers that are announced', () => {
      const { told } = open({ wantsCounts: (appId, channel) => appId === 'app-1' && channel === room });
      expect(told(join('1.1'))).toEqual([[1, '1', 0, 0, 0]]);
      expect(told(leave('1.1', { counted: true }))).toEqual([[0, '0', 3, 0, 0]]);
    });

    test('each call that joins by itself, and calls that only leave together', () => {
      const { store, told, send } = open();
      told(join('1.1', ada), join('1.2', { user: 'bob' }), join('1.3', { user: 'cleo' }));
      void store.apply([leave('1.1')]);
      void store.apply([leave('1.2')]);
      void store.apply([join('1.4', { user: 'dan' })]);
      expect(send().map((args) => args.slice(3, 5).concat(args.slice(8)))).toEqual([
        [1, '=', 'ada', '0', 0, '-', 'bob', '0', 0, '-'],
        [2, '=', 'dan', '1', 0, '-'],
      ]);
    });

    test('of a user who passed by a channel that then went and came, in a group of its own', () => {
      const { told } = open();
      told(join('1.1', ada));
      const groups = told(join('1.2', { user: 'bob' }), leave('1.2'), leave('1.1'), join('1.3', ada));
      expect(groups).toEqual([
        [0, '0', 0, 0, 2, 'bob', '10', 0, '-', 'ada', '0', 0, '-'],
        [1, '1', 0, 0, 1, 'ada', '1', 0, '-'],
      ]);
    });

    test('of a user who passes by a channel that went and came before, in a group of its own', () => {
      const { told } = open();
      told(join('1.1', ada));
      const groups = told(leave('1.1'), join('1.2'), join('1.3', { user: 'bob' }), leave('1.3'));
      expect(groups).toEqual([
        [2, '01', 0, 0, 2, 'ada', '0', 0, '-', 'bob', '1', 0, '-'],
        [1, '=', 0, 0, 1, 'bob', '0', 0, '-'],
      ]);
    });

    test('who takes a place before who comes back for it', async () => {
      const { told, elsewhere, store, send } = open();
      elsewhere('zoe');
      const limited = { maxMembers: 2 };
      told(join('1.0'), join('1.1', { ...ada, ...limited }));
      const results = store.apply([
        leave('1.1'),
        join('1.2', { user: 'bob', ...limited }),
        join('1.1', { ...ada, ...limited, incarnation: 2 }),
      ]);
      send();
      send();
      expect((await results).map(({ kind }) => kind)).toEqual(['left', 'joined', 'full']);
    });

    test('no more than there is room for, and the rest next time', () => {
      const { store, send } = open();
      for (const n of [1, 2, 3]) void store.apply([join('1.1', { channel: `c-${n}` })]);
      expect([send(2).map((args) => args[2]), send(2).map((args) => args[2])]).toEqual([
        ['c-1', 'c-2'],
        ['c-3'],
      ]);
    });
  });

  describe('answers', () => {
    test('a join with the version that the store says, once it says it', async () => {
      const { store, send } = open();
      const results = store.apply([join('1.1', ada)]);
      send();
      expect(await results).toEqual([{ kind: 'joined', version: 1, occupied: true }]);
    });

    test('that a channel is not occupied or vacated while another node has it', async () => {
      const { store, send, elsewhere } = open();
      elsewhere('zoe');
      const results = store.apply([join('1.1'), leave('1.1')]);
      send();
      expect(await results).toMatchObject([{ occupied: false }, { vacated: false }]);
    });

    test('a leave that names another incarnation without asking the store', async () => {
      const { store, told } = open();
      told(join('1.1', { incarnation: 2 }));
      const results = store.apply([leave('1.1')]);
      expect(store.take(0, 64)).toEqual([]);
      expect(await results).toEqual([{ kind: 'ignored' }]);
    });

    test('a second connection of a user with the first one’s answer', async () => {
      const { store, commit } = open();
      void store.apply([join('1.1', ada)]);
      const second = store.apply([join('1.2', ada)]);
      commit(store.take(0, 64));
      expect(await second).toEqual([{ kind: 'joined', version: 1, occupied: false }]);
    });

    test('that a channel is full when the store has other users, and is as before', async () => {
      const { store, told, send, elsewhere, model } = open();
      elsewhere('zoe');
      told(join('1.1'));
      const results = store.apply([join('1.2', { ...ada, maxMembers: 1 })]);
      send();
      expect(await results).toEqual([{ kind: 'full' }]);
      expect(model.state()).toEqual({ [room]: { subscriptions: 2, users: ['zoe'] } });
    });

    test('the questions of who is in a channel from the store, with what it was not told yet', async () => {
      const { store, told, elsewhere } = open();
      elsewhere('zoe');
      told(join('1.1', ada));
      told(join('1.2', ada));
      const summary = { channel: room, subscriptions: 3, users: 2 };
      expect(await store.channel('app-1', room)).toEqual(summary);
      expect(await store.channels('app-1', '')).toEqual([summary]);
      expect(await store.users('app-1', room)).toEqual(['zoe', 'ada']);
      expect(await store.channel('app-1', 'nobody-here')).toBeUndefined();
    });

    test('a snapshot with at least the version it answered, until the channel is left', () => {
      const { store, told, views } = open();
      told(join('1.1', ada));
      void store.snapshot('app-1', room);
      told(leave('1.1'));
      void store.snapshot('app-1', room);
      expect(views.asked).toEqual([1, 0]);
    });
  });

  describe('a join that the store may refuse', () => {
    const limited = { maxMembers: 1 };

    test('holds back what the same connection or the same user does next, and nobody else', () => {
      const { store, told } = open();
      told(join('1.0', { user: 'zoe' }));
      void store.apply([join('1.1', { ...ada, maxMembers: 5 })]);
      void store.apply([join('1.2', { user: 'bob', maxMembers: 5 })]);
      void store.apply([leave('1.1')]);
      void store.apply([join('1.3', { user: 'cleo', maxMembers: 5 })]);
      expect(store.take(0, 64).map(({ args }) => args.slice(8, 10))).toEqual([
        ['ada', '1'],
        ['bob', '1'],
      ]);
      expect([store.take(0, 64), store.waiting(0).changes]).toEqual([[], 2]);
    });

    test('holds back the leave of the last one who is certain', () => {
      const { store, told } = open();
      told(join('1.0'));
      void store.apply([join('1.1', { ...ada, ...limited })]);
      void store.apply([leave('1.0')]);
      expect(store.take(0, 64).length).toBe(1);
    });

    test('gives the connection back what it had when it is refused', async () => {
      const { store, told, drain, elsewhere, model } = open();
      elsewhere('zoe');
      told(join('1.1', { user: 'bob' }));
      const results = store.apply([join('1.1', { ...ada, ...limited, incarnation: 2 })]);
      drain();
      expect(await results).toEqual([{ kind: 'full' }]);
      expect(model.state()).toEqual({ [room]: { subscriptions: 2, users: ['bob', 'zoe'] } });
    });
  });

  describe('while the store is away', () => {
    function openAway(own: Partial<RedisMembershipOptions> = {}) {
      const node = open(own);
      const away = (): void => {
        node.setUp(false);
        node.store.away();
      };
      const back = (): void => {
        node.setUp(true);
        node.store.returned();
      };
      return { ...node, away, back };
    }

    test('whoever waits is answered and shown, and so is whoever comes', async () => {
      const { store, away, views } = openAway();
      const waiting = store.apply([join('1.1', ada)]);
      away();
      const step = 2 ** -12;
      expect(await waiting).toEqual([{ kind: 'joined', version: step, occupied: true }]);
      expect(store.apply([leave('1.1')])).toEqual([{ kind: 'left', vacated: true }]);
      expect(views.shown).toMatchObject([
        { removed: [], added: [{ userId: 'ada' }] },
        { removed: ['ada'], added: [] },
      ]);
      expect(store.waiting(0)).toEqual({ changes: 0, isUrgent: false });
    });

    test('whoever is under way is answered once', async () => {
      const { store, commit, away, back } = openAway();
      const results = store.apply([join('1.1', ada)]);
      const groups = store.take(0, 64);
      away();
      expect(await results).toMatchObject([{ kind: 'joined' }]);
      back();
      commit(groups);
      expect(store.waiting(0).changes).toBe(0);
    });

    test('one who was told that it joined and is refused then is told to the store without a limit', async () => {
      const { store, commit, away, back, send, model } = openAway();
      const results = store.apply([join('1.1', { ...ada, maxMembers: 1 })]);
      const groups = store.take(0, 64);
      model.apply('other', [['c', 'app-1', room, 1, '1', 0, 0, 1, 'zoe', '1', 0, '-']]);
      away();
      expect(await results).toMatchObject([{ kind: 'joined' }]);
      back();
      commit(groups);
      expect(send().map((args) => args.slice(3))).toEqual([[1, '1', 0, 0, 1, 'ada', '1', 0, '-']]);
      expect(model.state()).toEqual({ [room]: { subscriptions: 2, users: ['ada', 'zoe'] } });
    });

    test('a channel is full when it has as many users as are known', () => {
      const { store, away, elsewhere } = openAway();
      elsewhere('zoe');
      away();
      const limited = { maxMembers: 2 };
      const results = store.apply([
        join('1.1', { ...ada, ...limited }),
        join('1.2', { user: 'bob', ...limited }),
        join('1.3', { user: 'zoe', ...limited }),
        join('1.1', { user: 'bob', incarnation: 2, ...limited }),
      ]);
      expect(results).toMatchObject([
        { kind: 'joined' },
        { kind: 'full' },
        { kind: 'joined' },
        { kind: 'joined' },
      ]);
    });

    test('who came before and stays, came, or went is told when it is back: what is true then, once', () => {
      const { store, told, away, back, pokes, send } = openAway();
      told(join('1.1', ada), join('1.2', { user: 'bob' }));
      away();
      void store.apply([leave('1.1')]);
      void store.apply([join('1.3', { user: 'cleo', maxMembers: 9 })]);
      void store.apply([leave('1.2')]);
      void store.apply([join('1.2', { user: 'bob', incarnation: 2 })]);
      pokes.length = 0;
      back();
      expect(pokes).toEqual([0]);
      expect(send().map((args) => args.slice(3))).toEqual([
        [2, '1', 0, 0, 3, 'ada', '0', 0, '-', 'cleo', '1', 0, '-', 'bob', '1', 0, '-'],
      ]);
    });

    test('what was shown is not confirmed before the store has answered it, be it under way or told when it is back', () => {
      const { store, told, commit, away, back } = openAway();
      told(join('1.1', ada), join('1.2', { user: 'bob' }));
      const isUnconfirmed = () => store.isUnconfirmed('app-1', room);
      void store.apply([leave('1.1')]);
      const underWay = store.take(0, 64);
      const seen = [isUnconfirmed()];
      away();
      seen.push(isUnconfirmed());
      back();
      commit(underWay);
      seen.push(isUnconfirmed());
      away();
      void store.apply([leave('1.2')]);
      seen.push(isUnconfirmed());
      back();
      const asserted = store.take(0, 64);
      seen.push(isUnconfirmed());
      commit(asserted);
      expect([...seen, isUnconfirmed()]).toEqual([false, true, false, true, true, false]);
    });

    test('what was shown of a channel that is told in pieces is confirmed with the last of them', () => {
      const { store, told, away, back, send } = openAway();
      const users = Array.from({ length: 10 }, (_, i) => `user-${i}`);
      told(...users.map((user) => join(`1.${user}`, { user })), join('2.1'));
      away();
      void store.apply(users.map((user) => leave(`1.${user}`)));
      back();
      const seen: boolean[] = [];
      while (store.waiting(0).changes > 0) {
        send(4);
        seen.push(store.isUnconfirmed('app-1', room));
      }
      expect(seen.length).toBeGreaterThan(1);
      expect(seen).toEqual(seen.map((_, i) => i < seen.length - 1));
    });

    test('nothing is kept of who came and went', () => {
      const { store, away, back, pokes } = openAway();
      away();
      for (let n = 0; n < 100; n++) {
        void store.apply([join(`1.${n}`, { user: `user-${n}`, channel: `c-${n}` })]);
        void store.apply([leave(`1.${n}`, { channel: `c-${n}` })]);
      }
      back();
      expect([store.dirty, pokes]).toEqual([0, []]);
    });

    test('questions are answered from what is known here', () => {
      const { store, told, away, elsewhere } = openAway();
      elsewhere('zoe');
      told(join('1.1', ada));
      away();
      const summary = { channel: room, subscriptions: 1, users: 2 };
      expect(store.channels('app-1', '')).toEqual([summary]);
      expect(store.channel('app-1', room)).toEqual(summary);
      expect(store.channel('app-1', 'nobody-here')).toBeUndefined();
      expect(store.users('app-1', room)).toEqual(['zoe', 'ada']);
      expect([...store.localMembers('app-1', room)]).toEqual([{ userId: 'ada', userInfoJson: undefined }]);
    });

    test('a question that it does not answer any more is answered from what is known here', async () => {
      const { store, told, setUp } = openAway();
      told(join('1.1', ada));
      const asked = [
        store.channels('app-1', ''),
        store.channel('app-1', room),
        store.users('app-1', room),
      ] as const;
      setUp(false);
      const users = store.users('app-1', room);
      expect(await Promise.all([...asked, users])).toEqual([
        [{ channel: room, subscriptions: 1, users: 1 }],
        { channel: room, subscriptions: 1, users: 1 },
        ['ada'],
        ['ada'],
      ]);
    });
  });

  test('a question that the store answers with an error, or with anything else, fails', async () => {
    const link = { isUp: true, partitions: 1 };
    const failing = open({ link: { ...link, run: () => Promise.reject(new Error('ERR')) } }).store;
    await expect(failing.channels('app-1', '')).rejects.toThrow('ERR');
    const odd = open({ link: { ...link, run: () => Promise.resolve(['WHAT']) } }).store;
    await expect(odd.users('app-1', room)).rejects.toThrow('the store answered "WHAT" to "users"');
  });

  test('channels are told in the order of their names, whatever partition they are in', async () => {
    const channels = ['c', 'a', 'd', 'b'];
    const run = (_: string, partition: number) =>
      Promise.resolve([
        'OK',
        ...channels.slice(partition * 2, partition * 2 + 2).flatMap((name) => [name, 1, 0]),
      ]);
    const { store } = open({ link: { isUp: true, partitions: 2, run } });
    const found = await store.channels('app-1', '');
    expect(found.map(({ channel }) => channel)).toEqual(['a', 'b', 'c', 'd']);
  });

  describe('a node that begins anew', () => {
    test('tells all that it has, in pieces that fit', () => {
      const { store, told, send, pokes } = open();
      told(join('1.1', ada), join('1.2', { user: 'bob' }), join('1.3', { channel: 'x' }));
      pokes.length = 0;
      store.assertAll(0, { isWiped: false });
      expect([pokes, store.waiting(0)]).toEqual([[0], { changes: 4, isUrgent: false }]);
      const pieces = [send(1), send(1), send(1)].map((groups) => groups.map((args) => args.slice(2)));
      expect(pieces).toEqual([
        [[room, 2, '1', 0, 0, 1, 'ada', '1', 0, '-']],
        [[room, 2, '1', 0, 0, 1, 'bob', '1', 0, '-']],
        [['x', 1, '1', 0, 0, 0]],
      ]);
    });

    test('tells of a wiped store also who went in the last 30 s, as having come and gone', () => {
      const { store, told, send } = open();
      told(join('1.0', { channel: 'x' }));
      told(leave('1.0', { channel: 'x' }));
      jest.advanceTimersByTime(30_001);
      told(join('1.1', ada), join('1.2', { user: 'bob' }), join('1.3', { channel: 'y', user: 'cleo' }));
      told(leave('1.1'), leave('1.3', { channel: 'y' }));
      store.assertAll(0, { isWiped: true });
      expect(send().map((args) => args.slice(2))).toEqual([
        [room, 1, '1', 0, 0, 2, 'bob', '1', 0, '-', 'ada', '10', 0, '-'],
        ['y', 0, '10', 0, 0, 1, 'cleo', '10', 0, '-'],
      ]);
    });

    test('has numbers announced as before', () => {
      const { store, told, send } = open();
      told(join('1.1', { counted: true }));
      store.assertAll(0, { isWiped: false });
      expect(send().map((args) => args.slice(3))).toEqual([[1, '1', 1, 0, 0]]);
    });

    test('asserts behind what is under way', async () => {
      const { store, commit, model, drain } = open();
      const results = store.apply([join('1.1', { ...ada, maxMembers: 1 })]);
      const groups = store.take(0, 64);
      store.assertAll(0, { isWiped: false });
      model.apply('other', [['c', 'app-1', room, 1, '1', 0, 0, 1, 'zoe', '1', 0, '-']]);
      commit(groups);
      drain();
      expect(await results).toEqual([{ kind: 'full' }]);
      expect(model.state()).toEqual({ [room]: { subscriptions: 1, users: ['zoe'] } });
    });
  });

  test('a full queue is answered from what is known here, in order, and counted', async () => {
    const { store, drain, model } = open({ maxWaiting: 2 });
    const first = store.apply([join('1.1', ada), join('1.2', { user: 'bob' })]);
    expect([store.queued, store.apply([leave('1.1')])]).toEqual([2, [{ kind: 'left', vacated: false }]]);
    expect(await first).toMatchObject([{ kind: 'joined' }, { kind: 'joined' }]);
    drain();
    expect(store.overflows).toBe(1);
    expect(model.state()).toEqual({ [room]: { subscriptions: 1, users: ['bob'] } });
  });

  test('somebody waits for a join, and not for leaves', () => {
    const { store, told } = open();
    told(join('1.1'));
    void store.apply([leave('1.1')]);
    expect(store.waiting(0)).toEqual({ changes: 1, isUrgent: false });
    void store.apply([join('1.2')]);
    expect(store.waiting(0)).toEqual({ changes: 2, isUrgent: true });
  });

  test('nothing of a call without changes', () => {
    const { store, pokes } = open();
    expect([store.apply([]), pokes]).toEqual([[], []]);
  });
});
