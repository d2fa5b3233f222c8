import { rssMibOf } from './cpu.ts';

export interface IdleAgain {
  /** When the work was over, by `performance.now()`. */
  readonly atMs: number;
  /** Processor time used until it was certain, in milliseconds. */
  readonly cpuMs: number;
}

export interface IdleOptions {
  /** How long it must use next to nothing to count as idle. Default 500. */
  readonly quietMs?: number;
  /** What must be so besides: a process that waits for a processor uses none either. Default: nothing. */
  readonly isOver?: () => boolean;
}

const everyMs = 10;
const patienceMs = 120_000;
/** Timers and the like: an idle server uses less than a fiftieth of a processor. */
const idleShare = 0.02;

/** Waits until a process is idle again, and says when that began. Rejects after two minutes. */
export async function untilIdle(cpuMsNow: () => number, options: IdleOptions = {}): Promise<IdleAgain> {
  const { quietMs = 500, isOver = () => true } = options;
  const startedMs = performance.now();
  const readings: IdleAgain[] = [];
  while (performance.now() - startedMs < patienceMs) {
    const now = { atMs: performance.now(), cpuMs: cpuMsNow() };
    readings.push(now);
    const first = readings.find(({ atMs, cpuMs }) => now.cpuMs - cpuMs <= (now.atMs - atMs) * idleShare);
    if (first !== undefined && now.atMs - first.atMs >= quietMs && isOver())
      return { ...now, atMs: first.atMs };
    await new Promise((done) => setTimeout(done, everyMs));
  }
  throw new Error('after two minutes the server is not idle yet');
}

/**
 * What a process holds in memory when that has stopped changing, in KiB: collections of garbage come some seconds after
 * the last allocation.
 *
 * @param steadyMs How long it must not change by more than a hundredth.
 */
export async function settledRssKib(pid: number, steadyMs: number): Promise<number> {
  let [steady, sinceMs] = [rssMibOf(pid), performance.now()];
  for (const endMs = sinceMs + 30_000; performance.now() < endMs; ) {
    await new Promise((done) => setTimeout(done, 100));
    const now = rssMibOf(pid);
    if (Math.abs(now - steady) > steady / 100) [steady, sinceMs] = [now, performance.now()];
    if (performance.now() - sinceMs >= steadyMs) return now * 1024;
  }
  return rssMibOf(pid) * 1024;
}
