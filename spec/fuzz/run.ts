import { parseArgs } from 'node:util';
import { compareFastPaths } from './fast-paths.ts';
import { runFuzz } from './fuzz.ts';
import { renderTally } from './tally.ts';

/**
 * `npm run fuzz -- --cases 100000 --seed 1`: fuzzes the built server and prints what happened. With `--fast-paths` it
 * sends client events to two servers instead, with and without fast paths, and compares what they make of them.
 */
async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '100000' },
      seed: { type: 'string' },
      'fast-paths': { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const cases = Number(values.cases);
  process.stdout.write(`seed ${seed}\n`);
  if (values['fast-paths']) {
    const compared = await compareFastPaths({ cases, seed });
    process.stdout.write(`${JSON.stringify(compared, null, 2)}\n`);
    if (compared.difference !== undefined) process.exitCode = 1;
    return;
  }
  const result = await runFuzz({ cases, seed });
  const { tally, ...rest } = result;
  process.stdout.write(`${renderTally(tally)}\n${JSON.stringify(rest, null, 2)}\n`);
  for (const problem of tally.problems) process.stdout.write(`problem: ${problem}\n`);
  if (tally.problems.length > 0 || result.failures.length > 0 || result.exitCode !== 0) process.exitCode = 1;
}

void run();
