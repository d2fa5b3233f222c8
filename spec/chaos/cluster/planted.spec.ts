import { beforeAll, describe, expect, test } from '@jest/globals';
import { planted, sabotagedBy } from './planted/planted.ts';
import { tenth } from './times.ts';
import { runTrial, type TrialOptions } from './trial.ts';

/** The same seeds and plans without sabotage: then nothing may be said against them. */
const isSound = process.env['CHAOS_PLANTED'] === 'none';
const sideBySide = 2;
const longestMs = 300_000;

const results = new Map<string, readonly string[]>();

/** A trial that came to no end has one problem, and the others go on. */
async function foundBy(options: TrialOptions): Promise<readonly string[]> {
  try {
    return (await runTrial(options)).found;
  } catch (error) {
    return [`the rig failed: ${String(error)}`];
  }
}

async function oneAfterTheOther(names: string[]): Promise<void> {
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const { sabotage, complaint, ...trial } = planted[name]!;
    const startedMs = performance.now();
    const { convergeMs } = isSound ? tenth : trial.times;
    const found = await foundBy({
      ...trial,
      times: { ...trial.times, convergeMs },
      kinds: 'kills',
      startProcess: isSound ? undefined : sabotagedBy(sabotage),
    });
    results.set(name, found);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const noticed = found.filter((problem) => complaint.test(problem));
    const told = `${noticed.length} of ${found.length} problems, such as: ${noticed[0] ?? 'none'}`;
    process.stdout.write(`${sabotage}, seed ${trial.seed}: ${seconds} s, ${told}\n`);
  }
}

beforeAll(async () => {
  const names = Object.keys(planted);
  await Promise.all(Array.from({ length: sideBySide }, () => oneAfterTheOther(names)));
}, longestMs);

describe('the checker notices a cluster of processes that', () => {
  test.each(Object.entries(planted))('%s', (name, { complaint }) => {
    const found = results.get(name)!;
    if (isSound) expect(found).toEqual([]);
    else expect(found.join('\n')).toMatch(complaint);
  });
});
