export interface RestartLimits {
  /** Before a worker is replaced for the first time, and the longest pause of them all. */
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
  /** A worker that lived for so long ended for another reason than the one before it. */
  readonly calmAfterMs: number;
}

export const defaultRestartLimits: RestartLimits = {
  firstPauseMs: 100,
  maxPauseMs: 30_000,
  calmAfterMs: 60_000,
};

/** How long to wait before another worker takes a place: twice as long each time one soon ends there. */
export class RestartBackoff {
  readonly #limits: RestartLimits;
  readonly #failures = new Map<number, number>();

  constructor(limits: RestartLimits = defaultRestartLimits) {
    this.#limits = limits;
  }

  /** The pause in milliseconds, now that a worker at this place has ended after `livedMs`. */
  pauseMs(place: number, livedMs: number): number {
    const { firstPauseMs, maxPauseMs, calmAfterMs } = this.#limits;
    const failures = livedMs >= calmAfterMs ? 1 : (this.#failures.get(place) ?? 0) + 1;
    this.#failures.set(place, failures);
    return Math.min(maxPauseMs, firstPauseMs * 2 ** (failures - 1));
  }
}
