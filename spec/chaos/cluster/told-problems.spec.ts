import { describe, expect, test } from '@jest/globals';
import { Journal, type ToldEvent } from '../../support/journal.ts';
import { signedRequest } from '../signed-request.ts';
import { apps } from './apps.ts';
import type { Fault, Plan } from './faults.ts';
import { allowancesOf, foldWitness, toldProblems } from './told-problems.ts';

const calm = planOf('always');
const room = 'presence-a';

function planOf(appendfsync: Plan['appendfsync'], ...faults: readonly Fault[]): Plan {
  return { nodes: 2, appendfsync, faults: faults.map((fault) => ({ atMs: 0, fault })) };
}

function event(seq: number, name: string, user?: string): ToldEvent {
  const id = `e-${seq}`;
  return {
    name,
    channel: room,
    id,
    seq,
    prev_seq: seq - 1,
    epoch: 'e',
    ...(user === undefined ? {} : { user_id: user }),
  };
}

function journalOf(...batches: readonly (readonly ToldEvent[])[]): Journal {
  const journal = new Journal(apps.one);
  for (const [index, events] of batches.entries()) {
    const { headers, body } = signedRequest(apps.one, `msg_${index}`, events);
    journal.take(journal.add(headers, body));
  }
  return journal;
}

const life = [event(1, 'channel_occupied'), event(2, 'member_added', 'one-1')];
const visits = [
  { channel: room, user: 'one-1' },
  { channel: room, user: 'one-2' },
];

describe('the journal of an endpoint', () => {
  test('has told every visit', () => {
    expect(toldProblems('one', journalOf(life), visits.slice(0, 1), allowancesOf(calm))).toEqual([]);
    expect(toldProblems('one', journalOf(life), visits, allowancesOf(calm))).toEqual([
      'endpoint of app one: presence-a one-2: was there, and nobody was told',
    ]);
  });

  test('may miss a visit when the store was away', () => {
    const allowances = allowancesOf(planOf('always', { kind: 'redis-kill', forMs: 1 }));
    expect(toldProblems('one', journalOf(life), visits, allowances)).toEqual([]);
  });

  test('knows no user of another app', () => {
    const stranger = [...life, event(3, 'member_added', 'two-1')];
    expect(toldProblems('one', journalOf(stranger), [], allowancesOf(calm))).toEqual([
      'endpoint of app one: e-3: user two-1 is of another app',
    ]);
  });

  test('holds an event in one batch only, unless the store lost something', () => {
    const twice = journalOf(life, life.slice(1));
    expect(toldProblems('one', twice, [], allowancesOf(calm))).toEqual([
      expect.stringMatching(/e-2: came in msg_0 and in msg_1/),
    ]);
    const wiped = allowancesOf(planOf('always', { kind: 'wipe' }));
    expect(toldProblems('one', twice, [], wiped)).toEqual([]);
  });

  test('may hold a ghost only when the store and nodes were lost', () => {
    const kill: Fault = { kind: 'kill', node: 0, backAfterMs: undefined };
    const stateWhen = (plan: Plan) => foldWitness('one', journalOf(life), {}, allowancesOf(plan)).state;
    const ghost = { [room]: { users: ['one-1'] } };
    expect(stateWhen(calm)).toEqual(ghost);
    expect(stateWhen(planOf('always', kill))).toEqual(ghost);
    expect(stateWhen(planOf('always', { kind: 'wipe' }))).toEqual(ghost);
    expect(stateWhen(planOf('always', { kind: 'redis-kill', forMs: 1 }, kill))).toEqual(ghost);
    expect(stateWhen(planOf('everysec', { kind: 'redis-kill', forMs: 1 }, kill))).toEqual({});
    expect(stateWhen(planOf('always', { kind: 'wipe' }, kill))).toEqual({});
  });
});
