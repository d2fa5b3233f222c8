import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { came, type Holder, inChannel, openHolders, type UserSteps, went } from './holder.ts';
import { app, graceMs, openScriptStore, type ScriptStore } from './script-store.ts';

const room = 'presence-room';

describe('a user of a presence channel in the apply script', () => {
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
  const users = () => store.hash('u', app, room);
  const inRoom = (k: number, steps: string, ...each: UserSteps[]) =>
    inChannel(room, k, steps, { users: each });

  test('is told and announced added by the first holder, removed by the last', async () => {
    await one.does(inRoom(1, '1', came('ada', { info: '={"n":1}' })));
    await two.does(inRoom(1, '1', came('ada', { info: '={"n":2}' })));
    expect(await users()).toEqual({ ada: '2|2||={"n":1}' });
    await one.does(inRoom(0, '0', went('ada')));
    expect(await users()).toEqual({ ada: '1|2||={"n":1}' });
    await two.doesWith({ graceMs: 0 }, inRoom(0, '0', went('ada')));
    expect(await users()).toEqual({});
    expect(await store.told()).toEqual([
      `occupied ${room}`,
      `added ${room} ada`,
      `removed ${room} ada`,
      `vacated ${room}`,
    ]);
    expect(await store.announced()).toEqual([
      { channel: room, version: 1, removed: [], added: [['ada', '={"n":1}']] },
      { channel: room, version: 2, removed: ['ada'], added: [] },
    ]);
  });

  test('is announced removed at once, and told when the grace is over', async () => {
    await one.does(inRoom(2, '1', came('ada'), came('bob')));
    await one.doesWith({ cause: 'reconciled' }, inRoom(1, '=', went('ada')));
    expect((await store.announced())[1]).toEqual({ channel: room, version: 2, removed: ['ada'], added: [] });
    expect(await users()).toEqual({ ada: '0|2|reconciled|-', bob: '1|3||-' });
    expect(await store.hash('c', app, room)).toMatchObject({ '#m': '1' });
    store.shiftMs += graceMs - 2_000;
    expect((await one.fire()).slice(0, 2)).toEqual(['OK', 0]);
    store.shiftMs += 2_000;
    expect(await one.fire()).toEqual(['OK', 1, 0]);
    expect((await store.told()).at(-1)).toBe(`removed ${room} ada reconciled`);
    expect(await users()).toEqual({ bob: '1|3||-' });
  });

  test('who is back within the grace is announced, with the new info, and not told', async () => {
    await one.does(inRoom(1, '1', came('ada', { info: '={"n":1}' })));
    await one.doesWith({ cause: 'reconciled' }, inRoom(0, '0', went('ada')));
    await two.does(inRoom(1, '1', came('ada', { info: '={"n":2}' })));
    expect(await one.fire({ all: true })).toEqual(['OK', 0, 0]);
    expect(await users()).toEqual({ ada: '1|2||={"n":2}' });
    expect((await store.announced()).at(-1)).toMatchObject({ version: 3, added: [['ada', '={"n":2}']] });
    expect(await store.told()).toEqual([`occupied ${room}`, `added ${room} ada`]);
  });

  test('who came and went within a group is in no list, but makes a version', async () => {
    await one.does(inRoom(1, '1', came('bob')), inRoom(1, '=', { user: 'ada', steps: '10' }));
    expect((await store.announced())[1]).toEqual({ channel: room, version: 2, removed: [], added: [] });
    expect((await store.told()).slice(1)).toEqual([`added ${room} bob`, `added ${room} ada`]);
    expect(await one.fire({ all: true })).toEqual(['OK', 1, 0]);
  });

  test('who went and came within a group is in both lists', async () => {
    await one.does(inRoom(1, '1', came('ada')));
    await one.does(inRoom(1, '=', { user: 'ada', steps: '01', info: '={"n":2}' }));
    expect((await store.announced())[1]).toEqual({
      channel: room,
      version: 2,
      removed: ['ada'],
      added: [['ada', '={"n":2}']],
    });
    expect(await store.told()).toHaveLength(2);
  });

  test('of another holder is not touched by one that came and went, or went and came', async () => {
    await two.does(inRoom(1, '1', came('ada')));
    await one.does(inRoom(1, '1', came('bob')));
    await one.does(inRoom(1, '=', { user: 'ada', steps: '10' }));
    expect(await one.does(inRoom(2, '=', came('ada')), inRoom(2, '=', { user: 'ada', steps: '01' }))).toEqual(
      ['2 1 -', '2 1 -'],
    );
    expect((await users())['ada']).toBe('2|2||-');
  });

  test('is held once, however often the holder says so', async () => {
    await one.does(inRoom(1, '1', came('ada')), inRoom(2, '=', came('ada')));
    await one.does(inRoom(2, '=', went('eve')));
    expect(await users()).toEqual({ ada: '1|2||-' });
    expect(await store.redis.smembers(store.key('iu', 'n1.1'))).toEqual([`${app}:${room}:ada`]);
    await one.does(inRoom(0, '0', went('ada'), went('ada')));
    expect(await users()).toEqual({ ada: '0|2||-' });
  });

  test('may have any characters in the id and the info', async () => {
    const odd = 'a:b|c "d"\n{e}\\ü';
    const info = '={"n":"x|y\\n:"}';
    await one.does(inRoom(1, '1', came(odd, { info })));
    await two.does(inRoom(1, '1', came(odd)));
    await one.does(inRoom(0, '0', went(odd)));
    await two.does(inRoom(0, '0', went(odd)));
    expect(await store.announced()).toEqual([
      { channel: room, version: 1, removed: [], added: [[odd, info]] },
      { channel: room, version: 2, removed: [odd], added: [] },
    ]);
    await one.fire({ all: true });
    expect((await store.entries()).map(({ u }) => u)).toEqual([undefined, odd, odd, undefined]);
  });

  test('keeps the channel from being told vacated until gone', async () => {
    await one.does(inRoom(1, '1', came('ada')), inRoom(0, '0'));
    expect(await one.fire({ all: true })).toEqual(['OK', 0, 0]);
    await one.does(inRoom(0, '=', went('ada')));
    expect(await one.fire({ all: true })).toEqual(['OK', 2, 0]);
    expect((await store.told()).slice(2)).toEqual([`removed ${room} ada`, `vacated ${room}`]);
  });

  describe('with a limit', () => {
    const limited = (user: string, max: number) => came(user, { max });

    test('is refused when the channel is full: not held, not told, not counted', async () => {
      expect(await one.does(inRoom(2, '1', limited('ada', 1), limited('bob', 1)))).toEqual(['1 0 1']);
      expect(await store.hash('c', app, room)).toMatchObject({ 'n1.1': '1', '#k': '1', '#m': '1' });
      expect(await store.redis.smembers(store.key('iu', 'n1.1'))).toEqual([`${app}:${room}:ada`]);
      expect(await two.does(inRoom(1, '1', limited('eve', 1)))).toEqual(['1 1 0']);
      expect(await store.redis.exists(store.key('ic', 'n2.1'))).toBe(0);
      expect(await store.told()).toEqual([`occupied ${room}`, `added ${room} ada`]);
    });

    test('is never refused while present, on whichever node', async () => {
      await one.does(inRoom(1, '1', limited('ada', 1)));
      expect(await two.does(inRoom(1, '1', limited('ada', 1)))).toEqual(['1 1 -']);
    });

    test('is refused while in grace like anybody else', async () => {
      await one.does(inRoom(2, '1', came('ada'), came('bob')));
      await one.does(inRoom(1, '=', went('ada')));
      expect(await two.does(inRoom(1, '1', limited('ada', 1)))).toEqual(['2 1 0']);
      expect((await users())['ada']).toBe('0|2||-');
    });

    test('may take the place of one who went before within the group', async () => {
      await one.does(inRoom(1, '1', limited('ada', 1)));
      expect(await one.does(inRoom(1, '=', went('ada'), limited('bob', 1)))).toEqual(['2 0 -']);
      expect(await one.does(inRoom(1, '=', { user: 'bob', steps: '01', max: 1 }))).toEqual(['3 0 -']);
    });

    test('is taken off every later number of the channel in the batch', async () => {
      await one.does(
        inRoom(2, '1', limited('ada', 1), limited('bob', 1)),
        inChannel('presence-hall', 1, '1', { users: [limited('bob', 1)] }),
        inRoom(4, '=', limited('eve', 1), came('ada')),
      );
      expect(await store.hash('c', app, room)).toMatchObject({ 'n1.1': '2', '#k': '2' });
      expect(await store.hash('c', app, 'presence-hall')).toMatchObject({ 'n1.1': '1', '#k': '1' });
      await one.does(inRoom(2, '='));
      expect(await store.hash('c', app, room)).toMatchObject({ '#k': '2' });
    });

    test('takes nothing off the number when the refused one went again', async () => {
      await one.does(inRoom(1, '1', limited('ada', 1)));
      expect(await one.does(inRoom(1, '=', { user: 'bob', steps: '10', max: 1 }))).toEqual(['1 0 0']);
      expect(await store.hash('c', app, room)).toMatchObject({ 'n1.1': '1', '#k': '1', '#m': '1' });
    });

    test('passes through a channel without a trace when refused', async () => {
      await two.does(inRoom(1, '1', came('ada')));
      expect(await one.does(inRoom(0, '10', { user: 'bob', steps: '10', max: 1 }))).toEqual(['1 1 0']);
      expect(await store.hash('c', app, room)).not.toHaveProperty('n1.1');
      expect(await store.told()).toHaveLength(2);
    });

    test('leaves a channel of which it was the only one as it was', async () => {
      await store.redis.hset(store.key('st'), 'vf', 4);
      await two.does(inRoom(1, '1', came('ada')));
      expect(await one.does(inRoom(1, '1', limited('bob', 1)))).toEqual(['5 1 0']);
      expect(await store.hash('c', app, room)).not.toHaveProperty('n1.1');
      await two.doesWith({ graceMs: 0 }, inRoom(0, '0', went('ada')));
      // Refused first, then somebody takes the place: the holder comes in with that one.
      await one.does(
        inRoom(1, '1', limited('ada', 1)),
        inRoom(2, '=', limited('bob', 1)),
        inRoom(1, '=', went('ada')),
        inRoom(2, '=', limited('eve', 1)),
      );
      expect(await store.hash('c', app, room)).toMatchObject({
        'n1.1': '1',
        '#n': '1',
        '#k': '1',
        '#m': '1',
      });
      expect((await users())['eve']).toMatch(/^1\|/);
    });
  });
});
