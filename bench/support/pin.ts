import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Of util-linux; where it is missing nothing is pinned. */
const tool = 'taskset';
const canPin = availableParallelism() > 1 && spawnSync(tool, ['-c', '0', 'true']).status === 0;

/** The server gets the first processor, everything else the second, so that neither takes the other's time. */
export function pinned(
  role: 'server' | 'load',
  command: string,
  args: readonly string[],
): readonly [command: string, args: readonly string[]] {
  return canPin ? [tool, ['-c', role === 'server' ? '0' : '1', command, ...args]] : [command, args];
}

export const pinning = canPin ? 'server on processor 0, load on processor 1' : 'not pinned';

/** Pins all threads of a process that runs already; `both` takes it off again. */
export function pinRunning(role: 'server' | 'load' | 'both', pid: number): void {
  if (!canPin) return;
  const processors = { server: '0', load: '1', both: '0,1' }[role];
  spawnSync(tool, ['-a', '-c', '-p', processors, String(pid)]);
}

/**
 * Pins the threads beside the main one, which compile, collect and write files: on the main thread's processor they would
 * run in the middle of its work, and look like a part of it.
 */
export function pinHelpers(role: 'server' | 'load', pid: number): void {
  if (!canPin) return;
  const processor = role === 'server' ? '0' : '1';
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    if (thread !== String(pid)) spawnSync(tool, ['-c', '-p', processor, thread]);
  }
}
