import { expect, test } from '@jest/globals';
import { seededRandom } from '../../support/late-stores.ts';
import { drawPlan, type Fault, type FaultKinds, textOf } from './faults.ts';
import { tenth } from './times.ts';

const planOf = (kinds: FaultKinds, seed: number) => drawPlan(kinds, tenth, seededRandom(seed));
const seeds = Array.from({ length: 500 }, (_, seed) => seed);

test('a seed draws the same faults each time', () => {
  for (const seed of seeds) expect(planOf('all', seed)).toEqual(planOf('all', seed));
  expect(new Set(seeds.map((seed) => textOf(planOf('all', seed)))).size).toBe(seeds.length);
});

test('a trial of kills has one, at a moment of its churn that no other seed has', () => {
  const plans = seeds.map((seed) => planOf('kills', seed));
  expect(plans.every(({ faults }) => faults.length === 1)).toBe(true);
  expect(plans.every(({ faults: [first] }) => first!.fault.kind.startsWith('kill'))).toBe(true);
  expect(new Set(plans.map(({ faults: [first] }) => first!.atMs)).size).toBeGreaterThan(400);
});

test('every fault is drawn now and then, also several in one trial', () => {
  const drawn = seeds.flatMap((seed) => planOf('all', seed).faults.map(({ fault }) => fault.kind));
  const every: Readonly<Record<Exclude<Fault['kind'], 'refusals'>, true>> = {
    kill: true,
    'kill-after-drop': true,
    'kill-at-take': true,
    pause: true,
    'rolling-restart': true,
    link: true,
    'redis-kill': true,
    'redis-pause': true,
    wipe: true,
    'script-flush': true,
    receiver: true,
  };
  expect(new Set(drawn)).toEqual(new Set(Object.keys(every)));
  expect(drawn.length).toBeGreaterThan(seeds.length * 2);
});
