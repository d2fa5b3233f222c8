import { expect, test } from '@jest/globals';
import { Recent } from '../../../lib/flow/recent.ts';

function open(maxSize = 10) {
  const clock = { nowMs: 0, now: () => clock.nowMs };
  return { clock, recent: new Recent<string>(clock, 1_000, maxSize) };
}

test('what was remembered is forgotten when its time is over', () => {
  const { clock, recent } = open();
  recent.add('a', 'one');
  clock.nowMs = 1;
  recent.add('b', 'two');
  clock.nowMs = 1_001;
  expect(recent.values()).toEqual(['two']);
});

test('a key that comes again is remembered once, from then on', () => {
  const { clock, recent } = open();
  recent.add('a', 'one');
  recent.add('b', 'two');
  clock.nowMs = 800;
  recent.add('a', 'three');
  clock.nowMs = 1_500;
  expect(recent.values()).toEqual(['three']);
});

test('of too many the oldest is forgotten', () => {
  const { recent } = open(2);
  for (const key of ['a', 'b', 'c']) recent.add(key, key);
  expect(recent.values()).toEqual(['b', 'c']);
});
