import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { UserMessage } from '../../../lib/bus/bus.ts';
import type { SignIn } from '../../../lib/users/signed-in-users.ts';
import { openStores, type StoresFixture } from '../stores.ts';

const change = (kind: SignIn['kind'], userId: string, socketId: string, appId = 'app-1'): SignIn => ({
  kind,
  appId,
  userId,
  socketId,
});

/** What every store of signed-in users has to do, whatever it is made of. */
export function describeSignedInUsers(fixture: StoresFixture): void {
  const { name } = fixture;
  function open() {
    const announced: UserMessage[] = [];
    const { stores, answerOf } = openStores(fixture, (message) => {
      if (message.kind === 'user') announced.push(message);
    });
    const { users } = stores;
    const apply = (...changes: readonly SignIn[]): Promise<void> => answerOf(users.apply(changes));
    const online = async (userId: string, appId = 'app-1'): Promise<boolean> =>
      (await answerOf(users.states(appId, [userId])))[0]!.online;
    return { users, announced, answerOf, apply, online };
  }

  describe(`a store of signed-in users (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    test('announces a user’s first sign-in and last sign-out, each once', async () => {
      const { apply, announced } = open();
      await apply(change('sign-in', 'ada', '1.1'), change('sign-in', 'ada', '1.2'));
      await apply(change('sign-out', 'ada', '1.1'), change('sign-out', 'ada', '1.2'));
      expect(announced.map(({ userId, online }) => [userId, online])).toEqual([
        ['ada', true],
        ['ada', false],
      ]);
    });

    test('counts a connection that signs in twice once', async () => {
      const { apply, online } = open();
      await apply(change('sign-in', 'ada', '1.1'), change('sign-in', 'ada', '1.1'));
      await apply(change('sign-out', 'ada', '1.1'));
      expect(await online('ada')).toBe(false);
    });

    test('takes no notice of a sign-out of a connection that is not signed in', async () => {
      const { apply, online } = open();
      await apply(change('sign-in', 'ada', '1.1'), change('sign-out', 'ada', '1.2'));
      expect(await online('ada')).toBe(true);
    });

    test('keeps the apps apart', async () => {
      const { apply, online } = open();
      await apply(change('sign-in', 'ada', '1.1'));
      expect(await online('ada', 'app-2')).toBe(false);
    });

    test('answers the states in the order of the question', async () => {
      const { apply, users, answerOf } = open();
      await apply(change('sign-in', 'bob', '1.1'));
      const states = await answerOf(users.states('app-1', ['cleo', 'bob', 'ada']));
      expect(states.map(({ userId, online }) => [userId, online])).toEqual([
        ['cleo', false],
        ['bob', true],
        ['ada', false],
      ]);
    });

    test('answers a state at a version that no later change has', async () => {
      const { apply, users, announced, answerOf } = open();
      await apply(change('sign-in', 'ada', '1.1'));
      const [state] = await answerOf(users.states('app-1', ['ada']));
      await apply(change('sign-out', 'ada', '1.1'));
      expect(announced[0]!.version).toBeLessThanOrEqual(state!.version);
      expect(announced[1]!.version).toBeGreaterThan(state!.version);
    });

    const step = fc.record({
      kind: fc.constantFrom<SignIn['kind']>('sign-in', 'sign-out'),
      userId: fc.constantFrom('ada', 'bob'),
      socket: fc.nat(2),
    });

    test('whatever happens, announcements alternate at rising versions and end with the state', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { users, announced, answerOf, online } = open();
          const signedIn = new Set<string>();
          const asked = steps.map(({ kind, userId, socket }) => {
            if (kind === 'sign-in') signedIn.add(`${userId} ${socket}`);
            else signedIn.delete(`${userId} ${socket}`);
            return users.apply([change(kind, userId, `1.${socket}`)]);
          });
          await Promise.all(asked.map(answerOf));
          const versions = announced.map(({ version }) => version);
          expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
          for (const userId of ['ada', 'bob']) {
            const told = announced.filter((one) => one.userId === userId).map((one) => one.online);
            expect(told).toEqual(told.map((_, i) => i % 2 === 0));
            const isIn = [...signedIn].some((key) => key.startsWith(userId));
            expect([told.at(-1) ?? false, await online(userId)]).toEqual([isIn, isIn]);
          }
        }),
      );
    });
  });
}
