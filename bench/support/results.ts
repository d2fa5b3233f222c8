import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Results } from './tables.ts';

/** Everything that a run measured, and where. */
export interface Run {
  readonly startedAt: string;
  readonly tookS: number;
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly rounds: number;
  readonly quick: boolean;
  /** What the names of its cases begin with, where it did not run all. */
  readonly casePrefix?: string | undefined;
  readonly scenarios: Readonly<Record<string, Results>>;
}

export const latestFile = 'bench/results/latest.json';

export function writeRun(file: string, run: Run): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(run, null, 1)}\n`);
}

export function readRun(file: string): Run {
  return JSON.parse(readFileSync(file, 'utf8')) as Run;
}
