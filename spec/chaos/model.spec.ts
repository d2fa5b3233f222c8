import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { useVirtualTime } from '../support/virtual-time.ts';
import { seededRandom } from '../support/late-stores.ts';
import { sabotages } from './sabotages.ts';
import { type Step, step } from './steps.ts';
import { World, type WorldOptions } from './world.ts';

const realNow = performance.now.bind(performance);
const runs = Number(process.env['CHAOS_RUNS'] ?? 300);
const minutes = Number(process.env['CHAOS_MINUTES'] ?? 0);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

interface Told {
  readonly world: World;
  readonly problems: readonly string[];
}

/** Tells a story in a world of its own, to its end. */
async function tell(steps: readonly Step[], options?: WorldOptions): Promise<Told> {
  // What the product leaves to chance, such as its backoff, is the same each time a story is told.
  jest.spyOn(Math, 'random').mockImplementation(seededRandom(steps.length));
  const world = new World(options);
  await world.start();
  for (const one of steps) await world.run(one);
  const whenWell = await world.problemsWhenWell();
  const atEnd = await world.problemsAtEnd();
  return { world, problems: whenWell.length > 0 ? whenWell : atEnd };
}

function chaos(options?: WorldOptions, onTold: (told: Told) => void = () => undefined) {
  return fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
    const told = await tell(steps, options);
    if (told.problems.length > 0) throw new Error(told.problems.join('\n'));
    onTold(told);
  });
}

/** What all the stories had in them. */
class Tally {
  stories = 0;
  events = 0;
  attempts = 0;
  failures = 0;
  repeats = 0;
  restarts = 0;
  restartsWithBacklog = 0;
  coalesced = 0;

  readonly add = ({ world: { receivers, tally } }: Told): void => {
    this.stories += 1;
    this.restarts += tally.restarts;
    this.restartsWithBacklog += tally.restartsWithBacklog;
    for (const { journal } of Object.values(receivers)) {
      const { attempts, taken } = journal;
      this.events += journal.eventCount;
      this.coalesced += journal.events.filter(({ name }) => name === 'spillway_coalesced').length;
      this.attempts += attempts.length;
      this.failures += attempts.length - taken.length;
      this.repeats += taken.length - new Set(taken.map(({ webhookId }) => webhookId)).size;
    }
  };
}

/** Many stories, more of them in the time that `npm run chaos` has for it. */
async function tellMany(options: WorldOptions): Promise<Tally> {
  const startedMs = realNow();
  const tally = new Tally();
  const seconds = (): number => (realNow() - startedMs) / 1_000;
  for (let round = 0; round === 0 || seconds() < (minutes * 60) / 2; round++) {
    await fc.assert(chaos(options, tally.add), { seed: seed + round, numRuns: runs });
  }
  process.stdout.write(`chaos: seed ${seed}, ${seconds().toFixed(1)} s, ${JSON.stringify(tally)}\n`);
  return tally;
}

describe(`whatever clients and endpoints do (seed ${seed})`, () => {
  const timeLimitMs = 60_000 + minutes * 60_000;

  test(
    'endpoints are told exactly what the model says',
    async () => {
      const { events, failures, repeats, restartsWithBacklog, coalesced } = await tellMany({});
      expect(Math.min(events, failures, repeats, restartsWithBacklog)).toBeGreaterThan(0);
      expect(coalesced).toBe(0);
    },
    timeLimitMs,
  );

  test(
    'endpoints whose backlog is folded are told what leads to the same',
    async () => {
      const { failures, repeats, restartsWithBacklog, coalesced } = await tellMany({
        maxBacklogBytes: 1_500,
      });
      expect(Math.min(failures, repeats, restartsWithBacklog, coalesced)).toBeGreaterThan(0);
    },
    timeLimitMs,
  );
});

describe('the property notices a server that', () => {
  test.each(Object.entries(sabotages))('%s', async (_, { sabotage, complaint }) => {
    const found = await fc.check(chaos(sabotage), { seed: 1, numRuns: 300, endOnFailure: true });
    expect(String(found.errorInstance)).toMatch(complaint);
  });

  test('ignores a filter, with a counterexample that is short and speaks for itself', async () => {
    const { sabotage, complaint } = sabotages['computes filters and ignores them']!;
    const found = await fc.check(chaos(sabotage), { seed: 1, numRuns: 300 });
    const [steps] = found.counterexample ?? [];
    expect(steps?.length).toBeLessThan(5);
    expect(fc.stringify(steps)).toMatch(/^\[socket \d \((?:ann|bob|cy|app 2)\) joins [\w-]+/);
    expect(String(found.errorInstance)).toMatch(complaint);
  });
});
