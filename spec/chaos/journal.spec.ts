import { describe, expect, test } from '@jest/globals';
import { Journal, type ToldEvent } from '../support/journal.ts';
import { foldOf, type JournalRules, problemsOf } from '../support/journal-problems.ts';
import { ourApp, type SignedRequest, signedRequest, theirApp } from './signed-request.ts';

const room = 'presence-room';

/** The life of one presence channel, as it should be told. */
const life: readonly ToldEvent[] = [
  event(1, { name: 'channel_occupied' }),
  event(2, { name: 'member_added', user_id: 'ann' }),
  event(3, { name: 'member_added', user_id: 'bob' }),
  event(4, { name: 'member_removed', user_id: 'ann' }),
  event(5, { name: 'member_removed', user_id: 'bob' }),
  event(6, { name: 'channel_vacated' }),
  event(7, { name: 'channel_occupied' }),
  event(8, { name: 'member_added', user_id: 'ann' }),
];

function event(seq: number, fields: Partial<ToldEvent>): ToldEvent {
  return {
    name: 'channel_occupied',
    channel: room,
    ...fields,
    id: `e-${seq}`,
    seq,
    prev_seq: seq - 1,
    epoch: 'e',
  };
}

/** Each list is a batch, `msg_0`, `msg_1`, …; all are taken at the first attempt. */
function journalOf(batches: readonly (readonly ToldEvent[])[]): Journal {
  const journal = new Journal(ourApp);
  for (const [index, events] of batches.entries())
    come(journal, signedRequest(ourApp, `msg_${index}`, events));
  return journal;
}

function come(journal: Journal, { headers, body }: SignedRequest, isTaken = true): void {
  const attempt = journal.add(headers, body);
  if (isTaken) journal.take(attempt);
}

/** A batch of the life with one event changed, left out (undefined) or put elsewhere. */
function altered(alter: (events: ToldEvent[]) => void): Journal {
  const events = [...life];
  alter(events);
  return journalOf([events]);
}

function swap(events: ToldEvent[], one: number, other: number): void {
  [events[one], events[other]] = [events[other]!, events[one]!];
}

/** Numbers the events anew, so that nothing but their order is wrong. */
function renumbered(events: readonly ToldEvent[]): ToldEvent[] {
  return events.map((each, index) => ({ ...each, id: `r-${index + 1}`, seq: index + 1, prev_seq: index }));
}

describe('a journal that keeps the promises', () => {
  test('has no problems, in one batch or in many', () => {
    expect(problemsOf(journalOf([life]))).toEqual([]);
    expect(problemsOf(journalOf(life.map((each) => [each])))).toEqual([]);
  });

  test('may hold the same batch several times, refused and taken', () => {
    const journal = new Journal(ourApp);
    const batch = signedRequest(ourApp, 'msg_1', life);
    come(journal, batch, false);
    come(journal, batch);
    come(journal, batch);
    expect(problemsOf(journal)).toEqual([]);
    expect([journal.attempts.length, journal.eventCount]).toEqual([3, life.length]);
  });

  test('may begin in the middle of a life with snapshots', () => {
    const start = [
      { ...event(7, { name: 'channel_occupied', cause: 'snapshot' }), prev_seq: 0 },
      { ...event(9, { name: 'member_added', user_id: 'ann', cause: 'snapshot' }), prev_seq: 7 },
      { ...event(12, { name: 'member_removed', user_id: 'ann' }), prev_seq: 9 },
    ];
    expect(problemsOf(journalOf([start]))).toEqual([]);
  });

  test('may leave out what a coalesced range stands for', () => {
    const marker = {
      name: 'spillway_coalesced',
      channel: room,
      id: 'c-1',
      from_seq: 2,
      to_seq: 5,
      epoch: 'e',
    };
    const [first, , , , , last] = life;
    expect(problemsOf(journalOf([[first!, marker, { ...last!, prev_seq: 1 }]]))).toEqual([]);
  });

  test('may leave out as many events of any channel as a coalesced range of all channels stands for', () => {
    const marker = { name: 'spillway_coalesced', channel: '*', id: 'c-1', count: 4 };
    const [first, , , , , last] = life;
    expect(problemsOf(journalOf([[first!, marker, { ...last!, prev_seq: 1 }]]))).toEqual([]);
  });

  test('may leave out one that the endpoint refused for good, which came all the same', () => {
    const journal = new Journal(ourApp);
    const [first, refused, next] = life;
    come(journal, signedRequest(ourApp, 'msg_1', [first!]));
    come(journal, signedRequest(ourApp, 'msg_2', [refused!]), false);
    come(journal, signedRequest(ourApp, 'msg_3', [{ ...next!, prev_seq: 1 }]));
    expect(problemsOf(journal)).toEqual([]);
  });

  test('folds to who is there at its end', () => {
    expect(foldOf(journalOf([life]).events)).toEqual({ [room]: ['ann'] });
    expect(foldOf(journalOf([life.slice(0, 6)]).events)).toEqual({});
  });
});

/** The store came back empty while ann and bob were there; only ann was there still. */
const lostAndToldAnew: readonly ToldEvent[] = [
  ...life.slice(0, 3),
  anew(1, { name: 'channel_occupied', cause: 'reconciled' }),
  anew(2, { name: 'member_added', user_id: 'ann', cause: 'reconciled' }),
  anew(3, { name: 'member_removed', user_id: 'ann' }),
  anew(4, { name: 'channel_vacated' }),
];

function anew(seq: number, fields: Partial<ToldEvent>): ToldEvent {
  return { ...event(seq, fields), id: `f-${seq}`, epoch: 'f' };
}

describe('a journal of a store that lost something', () => {
  test('may tell anew, in another epoch, what was told before', () => {
    expect(problemsOf(journalOf([lostAndToldAnew]))).toEqual([]);
    expect(foldOf(journalOf([lostAndToldAnew.slice(0, 5)]).events)).toEqual({ [room]: ['ann'] });
    expect(foldOf(journalOf([lostAndToldAnew]).events)).toEqual({});
  });

  test('may tell one member anew, and that one has gone who was never told to have come', () => {
    const told = [
      anew(1, { name: 'member_added', user_id: 'ann', cause: 'reconciled' }),
      anew(2, { name: 'member_removed', user_id: 'cy', cause: 'reconciled' }),
    ];
    expect(problemsOf(journalOf([[...life.slice(0, 3), ...told]]))).toEqual([]);
  });

  test('may contradict in a new epoch without a cause only where nodes were lost with the store', () => {
    const told = journalOf([[...life.slice(0, 2), anew(1, { name: 'channel_occupied' })]]);
    expect(problemsOf(told)).toEqual([expect.stringMatching(/occupied twice/)]);
    expect(problemsOf(told, { mayForget: true })).toEqual([]);
  });

  test('may give an id twice only where nodes were lost with the store', () => {
    const journal = journalOf([life]);
    const [last] = life.slice(-1);
    come(journal, signedRequest(ourApp, 'msg_9', [{ ...last!, cause: 'node_lost' }]));
    expect(problemsOf(journal, { rebatches: true })).toEqual([expect.stringMatching(/the event changed/)]);
    expect(problemsOf(journal, { rebatches: true, mayForget: true })).toEqual([]);
  });
});

interface Fault {
  readonly journal: () => Journal;
  readonly problem: RegExp;
  readonly rules?: JournalRules;
}

const faults: Readonly<Record<string, Fault>> = {
  'a body that changed between attempts': {
    journal: () => {
      const journal = new Journal(ourApp);
      come(journal, signedRequest(ourApp, 'msg_1', life.slice(0, 1)), false);
      come(journal, signedRequest(ourApp, 'msg_1', life.slice(0, 2)));
      return journal;
    },
    problem: /the body changed/,
  },
  'a Pusher signature that changed between attempts': {
    journal: () => {
      const journal = new Journal(ourApp);
      const { headers, body } = signedRequest(ourApp, 'msg_1', life);
      come(journal, { headers, body });
      come(journal, { headers: { ...headers, 'x-pusher-signature': 'ab' }, body });
      return journal;
    },
    problem: /the Pusher signature changed/,
  },
  "a batch signed with another app's secret": {
    journal: () => {
      const journal = new Journal(ourApp);
      come(journal, signedRequest({ ...theirApp, key: ourApp.key }, 'msg_1', life));
      return journal;
    },
    problem: /the Pusher SDK calls it invalid/,
  },
  "another app's key": {
    journal: () => {
      const journal = new Journal(ourApp);
      come(journal, signedRequest(theirApp, 'msg_1', life));
      return journal;
    },
    problem: /another app's key/,
  },
  'a content type with a charset': {
    journal: () => {
      const journal = new Journal(ourApp);
      const { headers, body } = signedRequest(ourApp, 'msg_1', life);
      come(journal, { headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body });
      return journal;
    },
    problem: /the Pusher SDK calls it invalid/,
  },
  'a Standard Webhooks signature of another id': {
    journal: () => {
      const journal = new Journal(ourApp);
      const { headers, body } = signedRequest(ourApp, 'msg_1', life);
      come(journal, { headers: { ...headers, 'webhook-id': 'msg_2' }, body });
      return journal;
    },
    problem: /Standard Webhooks calls it invalid/,
  },
  "a content-length that is not the body's": {
    journal: () => {
      const journal = new Journal(ourApp);
      const { headers, body } = signedRequest(ourApp, 'msg_1', life);
      come(journal, { headers: { ...headers, 'content-length': '1' }, body });
      return journal;
    },
    problem: /content-length/,
  },
  'an event under two webhook ids': {
    journal: () => journalOf([life.slice(0, 2), life.slice(1)]),
    problem: /came in msg_0 and in msg_1/,
  },
  'an event that changed': {
    journal: () => {
      const journal = journalOf([life]);
      come(journal, signedRequest(ourApp, 'msg_9', [{ ...life[0]!, channel: 'other' }]));
      return journal;
    },
    rules: { rebatches: true },
    problem: /the event changed/,
  },
  'a lost event': {
    journal: () => altered((events) => events.splice(3, 1)),
    problem: /seq 5 where 4 was due/,
  },
  'events out of order': {
    journal: () => altered((events) => swap(events, 1, 2)),
    problem: /seq 3 where 2 was due/,
  },
  'a wrong prev_seq': {
    journal: () => altered((events) => (events[4] = { ...events[4]!, prev_seq: 3 })),
    problem: /prev_seq 3 where 4 was due/,
  },
  'a hole that no coalesced range covers': {
    journal: () => {
      const marker = {
        name: 'spillway_coalesced',
        channel: room,
        id: 'c-1',
        from_seq: 2,
        to_seq: 4,
        epoch: 'e',
      };
      return journalOf([[life[0]!, marker, { ...life[5]!, prev_seq: 1 }]]);
    },
    problem: /seq 6 where 2 was due/,
  },
  'a hole larger than a coalesced range of all channels': {
    journal: () => {
      const marker = { name: 'spillway_coalesced', channel: '*', id: 'c-1', count: 3 };
      return journalOf([[life[0]!, marker, { ...life[5]!, prev_seq: 1 }]]);
    },
    problem: /seq 6 where 2 was due/,
  },
  'a hole some time after the snapshot': {
    journal: () =>
      journalOf([
        [
          { ...event(7, { name: 'channel_occupied', cause: 'snapshot' }), prev_seq: 0 },
          { ...event(9, { name: 'member_added', user_id: 'ann' }), prev_seq: 7 },
          { ...event(11, { name: 'member_removed', user_id: 'ann' }), prev_seq: 9 },
        ],
      ]),
    problem: /seq 11 where 10 was due/,
  },
  'a channel occupied twice': {
    journal: () => journalOf([renumbered([life[0]!, life[0]!])]),
    problem: /occupied twice/,
  },
  'a channel vacated twice': {
    journal: () => journalOf([renumbered([life[0]!, life[5]!, life[5]!])]),
    problem: /vacated without being occupied/,
  },
  'a member added twice': {
    journal: () => journalOf([renumbered([life[0]!, life[1]!, life[1]!])]),
    problem: /added twice/,
  },
  'a member removed twice': {
    journal: () => journalOf([renumbered([life[0]!, life[1]!, life[3]!, life[3]!])]),
    problem: /removed without being added/,
  },
  'a member before its channel': {
    journal: () => journalOf([renumbered([life[1]!, life[0]!])]),
    problem: /added before its channel was occupied/,
  },
  'a channel vacated before its members': {
    journal: () => journalOf([renumbered([life[0]!, life[1]!, life[5]!, life[3]!])]),
    problem: /vacated with ann in it/,
  },
  'a member told anew twice': {
    journal: () =>
      journalOf([
        [
          ...lostAndToldAnew.slice(0, 5),
          anew(3, { name: 'member_added', user_id: 'ann', cause: 'reconciled' }),
        ],
      ]),
    problem: /member_added presence-room ann \(f-3\): added twice/,
  },
  'a member told anew in the epoch in which it was told': {
    journal: () => journalOf([renumbered([life[0]!, life[1]!, { ...life[1]!, cause: 'reconciled' }])]),
    problem: /added twice/,
  },
  'a kind that was not asked for': {
    journal: () => journalOf([life.slice(0, 2)]),
    rules: { kinds: ['channel_occupied', 'channel_vacated'] },
    problem: /member_added presence-room ann \(e-2\): not asked for/,
  },
  'a channel of another app': {
    journal: () => journalOf([life.slice(0, 1)]),
    rules: { ownsChannel: (channel) => channel !== room },
    problem: /a channel of others/,
  },
};

test.each(Object.entries(faults))('the journal tells of %s', (_, { journal, rules, problem }) => {
  const problems = problemsOf(journal(), rules);
  expect(problems).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
});
