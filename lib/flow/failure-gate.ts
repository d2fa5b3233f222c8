import { type Clock, systemClock } from './clock.ts';

export interface FailureGateLimits {
  /** Failures in a row that open the gate. */
  readonly threshold: number;
  /** How long it stays open before one call is let through to try. */
  readonly resetMs: number;
  readonly clock?: Clock;
}

/**
 * A breaker for synchronous work: after `threshold` failures in a row calls are refused for `resetMs`, then one is let
 * through; its outcome closes the gate or opens it again. (opossum, for outbound calls, breaks promises only.)
 */
export class FailureGate {
  readonly #limits: FailureGateLimits;
  readonly #clock: Clock;
  #failures = 0;
  #openUntilMs = 0;

  constructor(limits: FailureGateLimits) {
    this.#limits = limits;
    this.#clock = limits.clock ?? systemClock;
  }

  get isOpen(): boolean {
    return this.#failures >= this.#limits.threshold;
  }

  /** Whether a call may go ahead now. While the gate is open, true once per `resetMs`. */
  admits(): boolean {
    if (!this.isOpen) return true;
    if (this.#clock.now() < this.#openUntilMs) return false;
    this.#openUntilMs = this.#clock.now() + this.#limits.resetMs;
    return true;
  }

  /** Answers true when this success closed an open gate. */
  succeeded(): boolean {
    const wasOpen = this.isOpen;
    this.#failures = 0;
    return wasOpen;
  }

  /** Answers true when this failure opened the gate. */
  failed(): boolean {
    this.#failures++;
    if (this.#failures < this.#limits.threshold) return false;
    this.#openUntilMs = this.#clock.now() + this.#limits.resetMs;
    return this.#failures === this.#limits.threshold;
  }
}
