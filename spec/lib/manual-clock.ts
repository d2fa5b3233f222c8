import type { Clock } from '../../lib/flow/clock.ts';

/** A clock that the spec moves. */
export class ManualClock implements Clock {
  #nowMs: number;

  constructor(nowMs = 1_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
