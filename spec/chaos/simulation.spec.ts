import { afterEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandom } from '../support/late-stores.ts';
import { ClusterWorld } from './simulation/cluster-world.ts';
import { plants } from './simulation/plants.ts';
import type { Plant } from './simulation/sim-node.ts';
import { type Step, story } from './simulation/story.ts';
import { VirtualClock } from './simulation/virtual-clock.ts';

const realNow = performance.now.bind(performance);
const runs = Number(process.env['CHAOS_RUNS'] ?? 300);
const minutes = Number(process.env['CHAOS_MINUTES'] ?? 0);
/** The same stories each time; `npm run chaos -- --simulate` tells others. */
const seed = Number(process.env['CHAOS_SEED'] ?? 1);

afterEach(() => {
  jest.restoreAllMocks();
});

interface Told {
  readonly problems: readonly string[];
  readonly tally: Readonly<Record<string, number>>;
}

/** Tells a story in a world of its own, to its end. */
async function tell(steps: readonly Step[], plant?: Plant): Promise<Told> {
  // What the product and the network leave to chance is the same each time a story is told.
  jest.spyOn(Math, 'random').mockImplementation(seededRandom(steps.length));
  const clock = new VirtualClock(1_700_000_000_000);
  clock.install();
  try {
    const world = new ClusterWorld(clock, plant);
    await world.start();
    for (const step of steps) await world.run(step);
    const problems = await world.problemsAtEnd();
    return { problems, tally: { ...world.tally, timers: clock.fired } };
  } finally {
    clock.uninstall();
  }
}

function simulation(plant: () => Plant = () => ({}), onTold: (told: Told) => void = () => undefined) {
  return fc.asyncProperty(story, async (steps) => {
    const told = await tell(steps, plant());
    if (told.problems.length > 0) throw new Error(told.problems.slice(0, 20).join('\n'));
    onTold(told);
  });
}

describe(`whatever happens to clients, nodes, the store and endpoints (seed ${seed})`, () => {
  const timeLimitMs = 180_000 + minutes * 60_000;

  test(
    'a cluster keeps its promises',
    async () => {
      const startedMs = realNow();
      const cpu = process.cpuUsage();
      const seconds = (): number => (realNow() - startedMs) / 1_000;
      const sums: Record<string, number> = { stories: 0 };
      const add = ({ tally }: Told): void => {
        for (const [name, count] of Object.entries({ stories: 1, ...tally })) {
          sums[name] = (sums[name] ?? 0) + count;
        }
      };
      for (let round = 0; round === 0 || seconds() < minutes * 60; round++) {
        await fc.assert(simulation(undefined, add), { seed: seed + round, numRuns: runs });
      }
      const { user, system } = process.cpuUsage(cpu);
      const text = `${seconds().toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of the processor`;
      process.stdout.write(`simulation: seed ${seed}, ${text}, ${JSON.stringify(sums)}\n`);
      expect(Math.min(...Object.values(sums))).toBeGreaterThan(0);
    },
    timeLimitMs,
  );
});

describe('the checker notices a cluster that', () => {
  test.each(Object.entries(plants))(
    '%s',
    async (name, { plant, complaint }) => {
      const found = await fc.check(simulation(plant), { seed: 1, numRuns: 200, endOnFailure: true });
      process.stdout.write(`${name}: noticed by story ${found.numRuns} of seed 1\n`);
      expect(String(found.errorInstance)).toMatch(complaint);
    },
    60_000,
  );
});
