import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { Group } from '../../../lib/cluster/group-source.ts';
import { systemClock } from '../../../lib/flow/clock.ts';
import { StoreAway } from '../../../lib/redis/store-link.ts';
import { RedisSignedInUsers, type RedisSignedInUsersOptions } from '../../../lib/users/redis.ts';
import type { SignIn } from '../../../lib/users/signed-in-users.ts';

const signIn = (userId: string, socketId: string): SignIn => ({
  kind: 'sign-in',
  appId: 'app-1',
  userId,
  socketId,
});
const signOut = (userId: string, socketId: string): SignIn => ({
  ...signIn(userId, socketId),
  kind: 'sign-out',
});

/** What the `apply` script does with the groups of users, for several nodes. */
class UsersModel {
  readonly told: string[] = [];
  readonly #holders = new Map<string, Set<string>>();

  apply(holder: string, [, , userId, steps]: readonly (string | number)[]): void {
    const holders = this.#holders.get(String(userId)) ?? new Set<string>();
    this.#holders.set(String(userId), holders);
    for (const step of String(steps)) {
      const before = holders.size;
      if (step === '1') holders.add(holder);
      else holders.delete(holder);
      if ((before === 0) !== (holders.size === 0)) this.told.push(`${userId} ${holders.size}`);
    }
  }

  reap(holder: string): void {
    for (const [userId] of this.#holders) this.apply(holder, ['s', '', userId, '0']);
  }

  wipe(): void {
    this.#holders.clear();
  }

  get online(): readonly string[] {
    return [...this.#holders].flatMap(([userId, { size }]) => (size > 0 ? [userId] : [])).sort();
  }
}

function open(own: Partial<RedisSignedInUsersOptions> = {}, partitions = 1) {
  const model = new UsersModel();
  const pokes: number[] = [];
  const asked: (readonly unknown[])[] = [];
  let isUp = true;
  const users = new RedisSignedInUsers({
    link: {
      get isUp() {
        return isUp;
      },
      partitions,
      run: (script, partition, args) => {
        asked.push([script, partition, ...args]);
        if (!isUp) return Promise.reject(new StoreAway('away'));
        return Promise.resolve([
          'OK',
          7,
          ...args.slice(1).map((id) => (model.online.includes(String(id)) ? 1 : 0)),
        ]);
      },
    },
    poke: (partition) => pokes.push(partition),
    clock: systemClock,
    announces: () => true,
    ...own,
  });
  const commit = (groups: readonly Group[]): void => {
    for (const group of groups) {
      model.apply('n1.1', group.args);
      group.answered('');
    }
  };
  /** Changes, and what the store is told of them, behind `s app-1`. */
  const told = (...changes: readonly SignIn[]) => {
    void users.apply(changes);
    const groups = users.take(0, 64);
    commit(groups);
    return groups.map(({ args }) => args.slice(2));
  };
  const away = (): void => {
    isUp = false;
    users.away();
  };
  const back = (): void => {
    isUp = true;
    users.returned();
  };
  return { users, model, pokes, asked, commit, told, away, back, setUp: (up: boolean) => (isUp = up) };
}

describe('signed-in users on the shared store', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('the store is told of a user’s first connection here and of the last', () => {
    const { told } = open();
    expect(told(signIn('ada', '1.1'), signIn('ada', '1.2'))).toEqual([['ada', '1', 1]]);
    expect(told(signOut('ada', '1.1'))).toEqual([]);
    expect(told(signOut('ada', '1.2'))).toEqual([['ada', '0', 1]]);
  });

  test('the store is told of a user who came and went, or went and came', () => {
    const { told } = open();
    expect(told(signIn('ada', '1.1'), signOut('ada', '1.1'))).toEqual([['ada', '10', 1]]);
    told(signIn('ada', '1.1'));
    expect(told(signOut('ada', '1.1'), signIn('ada', '1.1'))).toEqual([['ada', '01', 1]]);
    expect(told(signOut('ada', '1.1'), signIn('ada', '1.1'), signOut('ada', '1.1'))).toEqual([
      ['ada', '0', 1],
    ]);
  });

  test('of an app without watchlists nothing is announced', () => {
    const { told } = open({ announces: () => false });
    expect(told(signIn('ada', '1.1'))).toEqual([['ada', '1', 0]]);
  });

  test('nobody waits for a change that is none', () => {
    const { users, pokes, told } = open();
    told(signIn('ada', '1.1'));
    pokes.length = 0;
    expect([users.apply([signIn('ada', '1.1')]), users.apply([signOut('bob', '1.1')]), pokes]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });

  test('a call is answered when the store has heard of each of its users, also of one who is under way', async () => {
    const { users, commit } = open();
    const answered: string[] = [];
    const note = (call: string) => () => answered.push(call);
    const first = Promise.resolve(users.apply([signIn('ada', '1.1'), signIn('bob', '1.2')])).then(
      note('first'),
    );
    const [ada, bob] = users.take(0, 64);
    const second = Promise.resolve(users.apply([signIn('ada', '1.3')])).then(note('second'));
    await jest.advanceTimersByTimeAsync(0);
    expect(answered).toEqual([]);
    commit([ada!]);
    await second;
    expect(answered).toEqual(['second']);
    commit([bob!]);
    await first;
    expect(answered).toEqual(['second', 'first']);
  });

  test('somebody waits for a sign-in, and not for sign-outs', () => {
    const { users, told } = open();
    told(signIn('ada', '1.1'));
    void users.apply([signOut('ada', '1.1')]);
    expect(users.waiting(0)).toEqual({ changes: 1, isUrgent: false });
    void users.apply([signIn('bob', '1.1')]);
    expect(users.waiting(0)).toEqual({ changes: 2, isUrgent: true });
    expect([users.take(0, 1).length, users.take(0, 1).length]).toEqual([1, 1]);
    expect(users.waiting(0)).toEqual({ changes: 0, isUrgent: false });
  });

  test('states are asked of each partition once and answered in the order of the question', async () => {
    const { users, model, asked } = open({}, 2);
    model.apply('other', ['s', 'app-1', 'bob', '1']);
    const ids = ['cleo', 'bob', 'ada', 'dan', 'bob'];
    const states = await users.states('app-1', ids);
    expect(states.map(({ userId }) => userId)).toEqual(ids);
    expect(states.map(({ online }) => online)).toEqual([false, true, false, false, true]);
    expect(states.map(({ version }) => version)).toEqual([7, 7, 7, 7, 7]);
    expect(asked.map(([script, partition]) => [script, partition]).sort()).toEqual([
      ['states', 0],
      ['states', 1],
    ]);
  });

  test('states that the store answers with an error, or with anything else, fail', async () => {
    const link = { isUp: true, partitions: 1 };
    const failing = open({ link: { ...link, run: () => Promise.reject(new Error('ERR')) } }).users;
    await expect(failing.states('app-1', ['ada'])).rejects.toThrow('ERR');
    const odd = open({ link: { ...link, run: () => Promise.resolve('WHAT') } }).users;
    await expect(odd.states('app-1', ['ada'])).rejects.toThrow('the store answered "WHAT" to "states"');
  });

  test('states that the store does not give any more are those of this node', async () => {
    const away = () => Promise.reject(new StoreAway('away'));
    const { users } = open({ link: { isUp: true, partitions: 1, run: away } });
    void users.apply([signIn('ada', '1.1')]);
    expect(await users.states('app-1', ['ada'])).toEqual([{ userId: 'ada', online: true, version: 0 }]);
  });

  test('with too many calls waiting one is answered at once, and its change told all the same', () => {
    const { users, told } = open({ maxWaiting: 1 });
    void users.apply([signIn('ada', '1.1')]);
    expect([users.apply([signIn('bob', '1.1')]), users.overflows]).toEqual([undefined, 1]);
    expect(told().map(([userId]) => userId)).toEqual(['ada', 'bob']);
    expect([users.apply([signIn('cleo', '1.1')]) === undefined, users.overflows]).toEqual([false, 1]);
  });

  describe('while the store is away', () => {
    test('whoever waits is answered, and so is whoever comes', async () => {
      const { users, away } = open();
      const underWay = users.apply([signIn('ada', '1.1')]);
      users.take(0, 64);
      const waiting = users.apply([signIn('bob', '1.1')]);
      away();
      await underWay;
      await waiting;
      expect(users.apply([signIn('cleo', '1.1')])).toBeUndefined();
      expect([users.take(0, 64), users.waiting(0).changes]).toEqual([[], 0]);
    });

    test('states are those of this node, at version 0', async () => {
      const { users, away, told, setUp } = open();
      told(signIn('ada', '1.1'));
      const here = [
        { userId: 'ada', online: true, version: 0 },
        { userId: 'bob', online: false, version: 0 },
      ];
      setUp(false);
      away();
      expect(users.states('app-1', ['ada', 'bob'])).toEqual(here);
      setUp(true);
      const asked = users.states('app-1', ['ada', 'bob']);
      expect((await asked).map(({ version }) => version)).toEqual([7, 7]);
    });

    test('what is true when it is back is told, once', () => {
      const { users, told, away, back, pokes } = open();
      told(signIn('ada', '1.1'), signIn('bob', '1.1'));
      void users.apply([signIn('dan', '1.1'), signIn('fay', '1.1'), signOut('fay', '1.1')]);
      away();
      void users.apply([
        signOut('ada', '1.1'),
        signOut('bob', '1.1'),
        signIn('bob', '1.2'),
        signIn('cleo', '1.1'),
      ]);
      void users.apply([signIn('eve', '1.1'), signOut('eve', '1.1')]);
      pokes.length = 0;
      back();
      expect(pokes).toEqual([0]);
      expect(told().sort()).toEqual([
        ['ada', '0', 1],
        ['bob', '1', 1],
        ['cleo', '1', 1],
        ['dan', '1', 1],
      ]);
    });
  });

  test('a node that begins anew tells all that it has, and of a wiped store who went in the last 30 s', () => {
    const { users, told } = open();
    told(signIn('ada', '1.1'), signIn('bob', '1.1'), signIn('cleo', '1.1'));
    told(signOut('bob', '1.1'));
    jest.advanceTimersByTime(30_001);
    told(signOut('cleo', '1.1'));
    users.assertAll(0, { isWiped: false });
    expect(told()).toEqual([['ada', '1', 1]]);
    users.assertAll(0, { isWiped: true });
    expect(told()).toEqual([
      ['ada', '1', 1],
      ['cleo', '10', 1],
    ]);
  });

  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom<SignIn['kind']>('sign-in', 'sign-out'),
        userId: fc.constantFrom('ada', 'bob'),
        socket: fc.nat(1),
      }),
    },
    { weight: 4, arbitrary: fc.constantFrom('take' as const, 'answer' as const) },
    { weight: 2, arbitrary: fc.constantFrom('away' as const, 'return' as const) },
    { weight: 1, arbitrary: fc.constantFrom('fence' as const, 'wipe' as const) },
  );

  test('whatever is lost on the way, the store ends with who is signed in, and everybody is answered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
        const { users, model, away, back } = open();
        const present = new Set<string>();
        const answers: unknown[] = [];
        let batch: readonly Group[] = [];
        let holder = 1;
        let isUp = true;
        const answer = (): void => {
          for (const group of batch) {
            model.apply(`n.${holder}`, group.args);
            group.answered('');
          }
          batch = [];
        };
        const anew = (isWiped: boolean): void => {
          if (isWiped) model.wipe();
          else model.reap(`n.${holder}`);
          holder++;
          users.assertAll(0, { isWiped });
        };
        for (const one of steps) {
          if (typeof one === 'object') {
            const { kind, userId, socket } = one;
            if (kind === 'sign-in') present.add(`${userId} ${socket}`);
            else present.delete(`${userId} ${socket}`);
            answers.push(users.apply([{ kind, appId: 'app-1', userId, socketId: `1.${socket}` }]));
          } else if (one === 'take' && isUp && batch.length === 0) batch = users.take(0, 1);
          else if (one === 'answer' && isUp) answer();
          else if (one === 'away' && isUp) {
            isUp = false;
            away();
          } else if (one === 'return' && !isUp) {
            isUp = true;
            back();
          } else if (one === 'fence' || one === 'wipe') anew(one === 'wipe');
        }
        if (!isUp) back();
        answer();
        while (users.waiting(0).changes > 0) {
          batch = users.take(0, 1);
          answer();
        }
        await Promise.all(answers);
        const signedIn = new Set([...present].map((key) => key.split(' ')[0]));
        expect(model.online).toEqual([...signedIn].sort());
      }),
      { numRuns: 300 },
    );
  });
});
