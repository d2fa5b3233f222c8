import type { Config } from '../config/schema.ts';
import { SpillwayError } from './errors/spillway-error.ts';
import type { Parts } from './parts.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sends the clients away in waves: 4200 makes stock clients reconnect at once with no jitter of their own, so the pace
 * is set here (protocol.md 1.4). Ends early, with what is left at once, when the deadline is near.
 */
export async function closeInWaves(parts: Parts, { drain }: Config, deadlineMs: number): Promise<void> {
  const error = new SpillwayError('connection.draining');
  while (parts.connections.size > 0) {
    const isLate = parts.clock.now() >= deadlineMs;
    const wave = [...parts.connections.all()].slice(0, isLate ? Number.POSITIVE_INFINITY : drain.perWave);
    for (const connection of wave) parts.disconnect(connection, 'drain', error);
    if (parts.connections.size > 0) await pause(drain.waveMs * (0.5 + Math.random()));
  }
}

/** Waits until `isDone`, looking often, or until the deadline; answers whether it was done. */
export async function waitUntil(
  isDone: () => boolean,
  now: () => number,
  deadlineMs: number,
): Promise<boolean> {
  while (!isDone()) {
    if (now() >= deadlineMs) return false;
    await pause(20);
  }
  return true;
}
