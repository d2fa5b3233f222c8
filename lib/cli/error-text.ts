import { configProblems } from '../../config/problems.ts';
import { SpillwayError } from '../errors/spillway-error.ts';

/** An error as a person at a terminal should see it: mistakes in the configuration one per line, no stack. */
export function errorText(error: unknown): string {
  if (error instanceof SpillwayError && error.code === 'config.invalid') {
    const problems = configProblems(error);
    const count = problems.length === 1 ? 'one mistake' : `${problems.length} mistakes`;
    return `spillway: the configuration has ${count}:\n${problems.map((problem) => `  ${problem}\n`).join('')}`;
  }
  return `spillway: ${error instanceof Error ? error.message : String(error)}\n`;
}
