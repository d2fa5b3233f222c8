import { describe, expect, test } from '@jest/globals';
import { leftoversIn } from './leftovers.ts';
import type { Stored } from './store-dump.ts';

const nowMs = 1_000_000;

type Keys = Readonly<Record<string, Stored | undefined>>;

const hash = (fields: Readonly<Record<string, string>>, expires = false): Stored => ({
  type: 'hash',
  fields,
  expires,
});
const set = (...items: readonly string[]): Stored => ({ type: 'set', items });
const zset = (scores: Readonly<Record<string, number>>): Stored => ({ type: 'zset', scores });

/** One partition where two nodes hold a presence channel of two users, one of them on both. */
const sound: Keys = {
  st: hash({ id: 's', gen: '0', P: '16', own: 'n1.1' }),
  lease: zset({ 'n1.1': nowMs + 1_500, 'n2.1': nowMs + 1_800 }),
  b: hash({ 'n1.1': '4', 'n2.1': '2' }),
  r: hash({ 'n1.1': '', 'n2.1': '' }),
  'ic:n1.1': set('one:presence-a'),
  'ic:n2.1': set('one:presence-a'),
  'iu:n1.1': set('one:presence-a:ann', 'one:presence-a:bob:x'),
  'iu:n2.1': set('one:presence-a:ann'),
  'is:n1.1': set('one:ann'),
  's:one': hash({ ann: '1' }),
  'n:one': set('presence-a'),
  'c:one:presence-a': hash({
    'n1.1': '2',
    'n2.1': '1',
    '#n': '2',
    '#k': '3',
    '#m': '2',
    '#o': '1',
    '#s': '3',
  }),
  'u:one:presence-a': hash({ ann: '2|2||-', 'bob:x': '1|3||={"a":1}' }),
  'c:one:plain-old': hash({ '#n': '0', '#k': '0', '#s': '2' }, true),
  h: hash({ one: '5' }),
  'o:one': { type: 'other' },
  'l:one:all': hash({ pos: '5', bs: '', fl: '0' }),
  'sq:one:all': hash({ 'presence-a': 'e 3' }),
};

function leftovers(changes: Keys = {}, liveNodes = 2): readonly string[] {
  const keys = Object.entries({ ...sound, ...changes }).flatMap(([name, stored]) =>
    stored === undefined ? [] : [[`spillway:{3}:${name}`, stored] as const],
  );
  return leftoversIn({ nowMs, keys: new Map(keys) }, liveNodes);
}

describe('a Redis at rest', () => {
  test('holds nothing that is left over', () => {
    expect(leftovers()).toEqual([]);
  });

  test('may be empty, and may hold what others wrote', () => {
    expect(leftoversIn({ nowMs, keys: new Map([['else', { type: 'other' }]]) }, 2)).toEqual([]);
  });
});

const faults: Readonly<Record<string, readonly [changes: Keys, problem: RegExp]>> = {
  'a lease that is over': [
    { lease: zset({ 'n1.1': nowMs + 1, 'n2.1': nowMs + 1, 'n3.1': nowMs - 1 }) },
    /^partition 3: n3.1 has a lease that is over/,
  ],
  'a fenced holder': [
    { lease: zset({ 'n1.1': nowMs + 1, 'n2.1': nowMs + 1, 'n3.1': 0 }) },
    /n3.1 has a lease that is fenced/,
  ],
  'a node without a lease': [{ lease: zset({ 'n1.1': nowMs + 1 }) }, /1 leases of 2 nodes: n1.1/],
  'an index of a dead holder': [{ 'ic:n9.1': set() }, /ic:n9.1 is of a holder that is not alive/],
  'batch numbers of a dead holder': [{ b: hash({ 'n9.1': '4' }) }, /b n9.1 is of a holder that is not alive/],
  'the fence of a dead holder': [{ dx: hash({ 'n9.1': '4' }) }, /dx n9.1 is left/],
  'a share of a dead holder': [{ 'q:one': hash({ 'n9.1': '4' }) }, /q:one n9.1 is of a holder/],
  'a channel of a dead holder': [
    {
      'c:one:presence-b': hash({ 'n9.1': '1', '#n': '1', '#k': '1', '#o': '1' }),
      'n:one': set('presence-a', 'presence-b'),
    },
    /channel one:presence-b: holder n9.1 is not alive/,
  ],
  'a channel that a holder does not index': [{ 'ic:n2.1': undefined }, /presence-a: 1 holders index it/],
  'a channel that is indexed and not there': [
    { 'ic:n2.1': set('one:presence-a', 'one:gone') },
    /channel one:gone is held and has no state/,
  ],
  'a wrong number of holders': [
    { 'c:one:presence-a': hash({ 'n1.1': '2', 'n2.1': '1', '#n': '3', '#k': '3', '#m': '2', '#o': '1' }) },
    /#n is 3, counted 2/,
  ],
  'a wrong number of subscriptions': [
    { 'c:one:presence-a': hash({ 'n1.1': '2', 'n2.1': '1', '#n': '2', '#k': '4', '#m': '2', '#o': '1' }) },
    /#k is 4, counted 3/,
  ],
  'a wrong number of members': [
    { 'c:one:presence-a': hash({ 'n1.1': '2', 'n2.1': '1', '#n': '2', '#k': '3', '#m': '1', '#o': '1' }) },
    /#m is 1, counted 2/,
  ],
  'a channel that was never told occupied': [
    { 'c:one:presence-a': hash({ 'n1.1': '2', 'n2.1': '1', '#n': '2', '#k': '3', '#m': '2' }) },
    /occupied was never told/,
  ],
  'a channel that was never told vacated': [
    { 'c:one:plain-old': hash({ '#n': '0', '#k': '0', '#o': '1' }, true) },
    /vacated was never told/,
  ],
  'a channel that is not in the index of its app': [{ 'n:one': undefined }, /it is not in the index/],
  'a vacant channel in the index of its app': [
    { 'n:one': set('presence-a', 'plain-old') },
    /plain-old: it is in the index/,
  ],
  'a vacant channel that is kept for ever': [{ 'c:one:plain-old': hash({ '#n': '0' }) }, /never expires/],
  'an occupied channel that expires': [
    {
      'c:one:presence-a': hash(
        { 'n1.1': '2', 'n2.1': '1', '#n': '2', '#k': '3', '#m': '2', '#o': '1' },
        true,
      ),
    },
    /it is occupied and expires/,
  ],
  'a member that never went': [
    { 'u:one:presence-a': hash({ ann: '2|2||-', 'bob:x': '1|3||-', cy: '0|4||-' }) },
    /member one:presence-a:cy was never told to have gone/,
  ],
  'a member with holders that do not index it': [{ 'iu:n2.1': undefined }, /ann has 2 holders, 1 index it/],
  'an index of a member that is not there': [
    { 'iu:n2.1': set('one:presence-a:ann', 'one:presence-a:cy') },
    /member one:presence-a:cy is held and not there/,
  ],
  'a signed-in user that nobody holds': [{ 'is:n1.1': undefined }, /user one:ann has 1 holders, 0 index it/],
  'a deadline': [{ g: zset({ 'v:one:plain-old': 5 }) }, /deadline v:one:plain-old has not fired/],
  'a recorded batch': [
    { 'l:one:all': hash({ pos: '5', bs: 'x ', 'b:x': '{}' }) },
    /lane one:all holds the record b:x/,
  ],
  'entries that a lane has not passed': [{ 'l:one:all': hash({ pos: '4', bs: '' }) }, /is at 4 of 5/],
  'folded events': [{ 'fo:one:all': { type: 'list', length: 2 } }, /fo:one:all holds 2 events/],
  'dead letters': [{ 'dl:one:all': hash({ x: '{}' }) }, /lane one:all holds 1 dead letters/],
};

test.each(Object.entries(faults))('a Redis at rest does not hold %s', (_, [changes, problem]) => {
  expect(leftovers(changes)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
});
