import { availableParallelism } from 'node:os';

/** How many workers `server.workers` means: `"auto"` is one for each processor this process may use. */
export function workerCount(workers: number | 'auto', processors: number = availableParallelism()): number {
  return workers === 'auto' ? processors : workers;
}
