import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isLifecycle } from '../../../lib/outbox/outbox-event.ts';
import { endpoint, inWords, join, leave, openOutbox, room } from '../outbox/open-outbox.ts';
import type { StoresFixture } from '../stores.ts';
import { ToldState } from '../outbox/told-state.ts';

/** What every membership store has to record for those outside, in the step that changes it (R1). */
export function describeRecordedLifecycle(fixture: StoresFixture): void {
  const { name } = fixture;
  async function open() {
    const opened = openOutbox(fixture);
    await opened.open(endpoint('hook'));
    return opened;
  }

  describe(`the lifecycle a membership store records (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    test('is told in the step that answers: nothing comes later', async () => {
      const { apply, deliver } = await open();
      await apply(join('1.1', 'ada'));
      expect((await deliver()).map(inWords)).toEqual(['channel_occupied', 'member_added ada']);
    });

    test('of a user with two connections has one join and one leave', async () => {
      const { apply, settle, deliver } = await open();
      await apply(join('1.1', 'ada'), join('1.2', 'ada'), leave('1.1'), leave('1.2'));
      await settle();
      expect((await deliver()).map(inWords)).toEqual([
        'channel_occupied',
        'member_added ada',
        'member_removed ada',
        'channel_vacated',
      ]);
    });

    test('of many who leave in one call vacates once, after the last', async () => {
      const { apply, settle, deliver } = await open();
      await apply(...['1', '2', '3'].map((n) => join(`1.${n}`, `user-${n}`)));
      await apply(...['1', '2', '3'].map((n) => leave(`1.${n}`)));
      await settle();
      expect((await deliver()).slice(4).map(inWords)).toEqual([
        'member_removed user-1',
        'member_removed user-2',
        'member_removed user-3',
        'channel_vacated',
      ]);
    });

    test('has nothing of a join that was refused', async () => {
      const { apply, deliver } = await open();
      const limited = { maxMembers: 1 };
      await apply(join('1.1', 'ada', limited), join('1.2', 'bob', limited));
      expect((await deliver()).map(inWords)).toEqual(['channel_occupied', 'member_added ada']);
    });

    test('has nothing of a leave that names an older incarnation', async () => {
      const { apply, settle, deliver } = await open();
      await apply(join('1.1', 'ada', { incarnation: 2 }), leave('1.1'));
      await settle();
      expect((await deliver()).map(inWords)).toEqual(['channel_occupied', 'member_added ada']);
    });

    test('of a connection that changes its user removes one and adds the other', async () => {
      const { apply, settle, deliver } = await open();
      await apply(join('1.1', 'ada'));
      await apply(join('1.1', 'bob', { incarnation: 2 }));
      await settle();
      expect(new ToldState().tell(await deliver()).state).toEqual([`${room} bob`]);
    });

    test('folds to who is there, with every seq once, whatever came and went', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
          const { apply, settle, deliver } = await open();
          const present = new Map<string, string>();
          for (const { kind, socket, user } of changes) {
            if (kind === 'join') {
              await apply(leave(socket), join(socket, user));
              present.set(socket, user);
            } else {
              await apply(leave(socket));
              present.delete(socket);
            }
          }
          await settle();
          const told = await deliver();
          const users = [...new Set(present.values())].sort();
          expect(new ToldState().tell(told).state).toEqual(
            users.length === 0 ? [] : [[room, ...users].join(' ')],
          );
          expect(told.filter(isLifecycle).map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
        }),
        { numRuns: 6 * fixture.longRuns },
      );
    });
  });
}

const change = fc.record({
  kind: fc.constantFrom('join', 'leave'),
  socket: fc.constantFrom('1.1', '1.2', '1.3'),
  user: fc.constantFrom('ada', 'bob'),
});
