import { describe, expect, test } from '@jest/globals';
import { type AppState, disagreements } from './agreement.ts';

const truth: AppState = {
  'plain-a': { users: [], subscriptions: 3 },
  'presence-a': { users: ['ann', 'bob'], subscriptions: 2 },
};

describe('a witness of the live sockets', () => {
  test('agrees when it names the same channels, users in any order and counts', () => {
    const state = { ...truth, 'presence-a': { users: ['bob', 'ann'], subscriptions: 2 } };
    expect(disagreements(truth, { name: 'node a', state })).toEqual([]);
  });

  test('need not count', () => {
    const state = { 'plain-a': { users: [] }, 'presence-a': { users: ['ann', 'bob'] } };
    expect(disagreements(truth, { name: 'webhooks', state })).toEqual([]);
  });

  test('may see some channels only', () => {
    const state = { 'presence-a': { users: ['ann', 'bob'] } };
    expect(disagreements(truth, { name: 'ann', state, seesOnly: ['presence-a'] })).toEqual([]);
  });

  test('agrees that nothing is there', () => {
    expect(disagreements({}, { name: 'node a', state: {} })).toEqual([]);
  });
});

const lies: Readonly<Record<string, readonly [state: AppState, problem: string]>> = {
  'a channel it misses': [
    { 'presence-a': truth['presence-a']! },
    'node a: plain-a is not there; no users in 3 subscriptions',
  ],
  'a channel where nobody is': [
    { ...truth, 'plain-b': { users: [], subscriptions: 1 } },
    'node a: plain-b is there, nobody is subscribed; no users in 1 subscriptions',
  ],
  'a ghost': [
    { ...truth, 'presence-a': { users: ['ann', 'bob', 'cy'] } },
    'node a: presence-a has ann, bob, cy instead of ann, bob in 2 subscriptions',
  ],
  'a missing member': [
    { ...truth, 'presence-a': { users: ['ann'] } },
    'node a: presence-a has ann instead of ann, bob in 2 subscriptions',
  ],
  'a wrong count': [
    { ...truth, 'plain-a': { users: [], subscriptions: 2 } },
    'node a: plain-a has no users in 2 subscriptions instead of no users in 3 subscriptions',
  ],
};

test.each(Object.entries(lies))('a witness disagrees by %s', (_, [state, problem]) => {
  expect(disagreements(truth, { name: 'node a', state })).toEqual([problem]);
});
