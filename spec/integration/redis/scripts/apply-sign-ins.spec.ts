import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Holder, openHolders, signIn } from './holder.ts';
import { app, openScriptStore, type ScriptStore } from './script-store.ts';

describe('a sign-in in the apply script', () => {
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
  const heard = async () =>
    (await store.heard()).map((line) => {
      expect(line).toMatch(/^sys u/);
      return JSON.parse(line.slice(5)) as unknown;
    });
  const states = (...users: string[]) => store.run('states', app, ...users);

  test('is said of the first holder, a sign-out of the last', async () => {
    await one.does(signIn('ada', '1'), signIn('ada', '1'));
    await two.does(signIn('ada', '1'));
    expect(await store.hash('s', app)).toEqual({ ada: '2' });
    await one.does(signIn('ada', '0'));
    expect(await states('ada')).toEqual(['OK', 1, 1]);
    await two.does(signIn('ada', '0'), signIn('ada', '0'));
    expect(await states('ada')).toEqual(['OK', 2, 0]);
    expect(await heard()).toEqual([
      { a: app, u: 'ada', o: 1, v: 1 },
      { a: app, u: 'ada', o: 0, v: 2 },
    ]);
    expect(await store.hash('s', app)).toEqual({});
  });

  test('raises one version for all users, which rises with the generation', async () => {
    await one.does(signIn('ada', '1'), signIn('bob', '1', 0));
    expect(await states('bob', 'eve', 'ada')).toEqual(['OK', 2, 1, 0, 1]);
    await one.renew({ lastAcked: 9 });
    expect(await states('ada')).toEqual(['OK', 2 ** 26, 1]);
    await one.does(signIn('eve', '1'));
    expect(await states('eve')).toEqual(['OK', 2 ** 26 + 1, 1]);
  });

  test('is said only where somebody watches', async () => {
    await one.does(signIn('ada', '1', 0), signIn('ada', '0', 0));
    expect(await heard()).toEqual([]);
    expect(await states('ada')).toEqual(['OK', 2, 0]);
  });

  test('that is gone and back in one group is said as both', async () => {
    await one.does(signIn('ada', '1'), signIn('ada', '01'));
    await two.does(signIn('ada', '10'));
    await two.does(signIn('b:b', '10'));
    expect(await heard()).toEqual([
      { a: app, u: 'ada', o: 1, v: 1 },
      { a: app, u: 'ada', o: 0, v: 2 },
      { a: app, u: 'ada', o: 1, v: 3 },
      { a: app, u: 'b:b', o: 1, v: 4 },
      { a: app, u: 'b:b', o: 0, v: 5 },
    ]);
    expect(await store.redis.smembers(store.key('is', 'n1.1'))).toEqual(['app-1:ada']);
  });
});
