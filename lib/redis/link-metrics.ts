export interface RedisLinkMetrics {
  readonly scriptCalls: number;
  /** From the call to the answer, of the last hundred or so. */
  readonly meanScriptMs: number;
  readonly reconnects: number;
  /** Messages that were not sent, or of which that is not known. */
  readonly droppedPublishes: number;
  /** Messages on their way. */
  readonly publishesUnderWay: number;
  /** Calls that wait for an answer. */
  readonly waiting: number;
  readonly topics: number;
}

/** The share of the newest call in the mean. */
const weight = 0.01;

/** How many scripts ran, and how long they take of late. */
export class ScriptTimes {
  #calls = 0;
  #meanMs = 0;

  get calls(): number {
    return this.#calls;
  }

  get meanMs(): number {
    return this.#meanMs;
  }

  add(durationMs: number): void {
    this.#calls++;
    this.#meanMs += Math.max(1 / this.#calls, weight) * (durationMs - this.#meanMs);
  }
}
