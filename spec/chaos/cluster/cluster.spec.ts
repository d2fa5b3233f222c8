import { describe, expect, test } from '@jest/globals';
import type { FaultKinds } from './faults.ts';
import { real, tenth } from './times.ts';
import { runTrial, type TrialResult } from './trial.ts';

const env = (name: string): string | undefined => process.env[`CHAOS_${name}`];
const seed = Number(env('SEED') ?? Date.now() % 1_000_000);
const minutes = Number(env('MINUTES') ?? 0);
const trials = Number(env('TRIALS') ?? 10);
const kinds: FaultKinds = env('KINDS') === 'all' ? 'all' : 'kills';
const times = env('REAL') === '1' ? real : tenth;
const sideBySide = Number(env('SIDE_BY_SIDE') ?? 2);
const longestTrialMs = 120_000 + times.churnMs + times.convergeMs;

/** Trials with consecutive seeds, several small clusters side by side; those that are due, and more while there is time. */
async function runMany(): Promise<readonly TrialResult[]> {
  const startedMs = performance.now();
  const results: TrialResult[] = [];
  let next = 0;
  const isDue = (): boolean => next < trials || performance.now() - startedMs < minutes * 60_000;
  const oneAfterTheOther = async (): Promise<void> => {
    while (isDue()) {
      const result = await runTrial({ seed: seed + next++, kinds, times });
      results.push(result);
      if (result.problems.length > 0) report(result);
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, oneAfterTheOther));
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const failed = results.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(
    `cluster: ${results.length} trials of ${kinds} from seed ${seed}, ${failed} with problems, ${seconds} s, ${JSON.stringify(sumOf(results))}\n`,
  );
  return results;
}

function report({ problems, complaints }: TrialResult): void {
  const logged = complaints.length === 0 ? [] : ['logged as errors:', ...complaints.slice(0, 10)];
  process.stdout.write(`${[...problems, ...logged].join('\n')}\n`);
}

function sumOf(results: readonly TrialResult[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { tally } of results) {
    for (const [name, count] of Object.entries(tally)) {
      sums[name] = name.endsWith('Ms') ? Math.max(sums[name] ?? 0, count) : (sums[name] ?? 0) + count;
    }
  }
  return sums;
}

describe(`processes, clients and endpoints under faults (seed ${seed})`, () => {
  test(
    'one node without Redis keeps its promises while endpoints fail',
    async () => {
      const { problems, tally } = await runTrial({ seed, kinds: 'receivers', times: tenth });
      expect(problems).toEqual([]);
      expect(Math.min(tally['joins']!, tally['drops']!, tally['events']!)).toBeGreaterThan(10);
    },
    longestTrialMs,
  );

  test(
    `${trials} trials of ${kinds === 'kills' ? 'a kill each' : 'several faults each'} lose nothing and contradict nothing`,
    async () => {
      const results = await runMany();
      expect(results.flatMap(({ problems }) => problems)).toEqual([]);
      expect(results.length).toBeGreaterThanOrEqual(trials);
    },
    minutes * 60_000 + (trials + sideBySide) * longestTrialMs,
  );
});
