import CircuitBreaker from 'opossum';

/** `open`: calls are refused. `half-open`: one call is let through to try. */
type BreakerState = 'closed' | 'half-open' | 'open';

interface BreakerOptions {
  /** The share of failures within the window, 0 to 100, that opens the breaker. */
  readonly errorThresholdPercentage: number;
  /** Outcomes within the window before it may open. */
  readonly volumeThreshold: number;
  /** The time of which outcomes count. */
  readonly windowMs: number;
  /** How long it stays open before one call may try. */
  readonly resetMs: number;
  readonly onChange?: (state: BreakerState) => void;
}

/** opossum opens above its threshold; here the threshold itself is enough. */
const justBelow = 1e-6;

/**
 * A circuit breaker for outbound calls. What counts is how calls end, at the time when they do: calls under way, however
 * long, do not hide failures, and those that end after the breaker opened leave the decision to the probe.
 * (`FailureGate` is for synchronous work.)
 */
export class Breaker {
  readonly #circuit: CircuitBreaker<[outcome: Promise<unknown>]>;
  #isProbing = false;

  constructor(options: BreakerOptions) {
    const { onChange } = options;
    this.#circuit = new CircuitBreaker((outcome: Promise<unknown>) => outcome, {
      timeout: false,
      errorThresholdPercentage: options.errorThresholdPercentage - justBelow,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.windowMs,
      resetTimeout: options.resetMs,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    this.#circuit.on('open', () => onChange?.('open'));
    this.#circuit.on('halfOpen', () => onChange?.('half-open'));
    this.#circuit.on('close', () => onChange?.('closed'));
  }

  get state(): BreakerState {
    if (this.#circuit.opened) return 'open';
    return this.#circuit.halfOpen ? 'half-open' : 'closed';
  }

  /** Whether a call may go now: the breaker is closed, or half-open with no probe under way. */
  get admits(): boolean {
    if (this.#circuit.isShutdown) return false;
    return this.#circuit.closed || (this.#circuit.halfOpen && !this.#isProbing);
  }

  /**
   * Does the work and counts how it ended. The work has to end: a probe that does not keeps everybody out.
   *
   * @throws What the work throws; without doing it, when the breaker does not admit it.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.admits)
      throw new Error(this.#circuit.isShutdown ? 'the breaker is shut down' : 'the breaker is open');
    const isProbe = this.#circuit.halfOpen;
    if (isProbe) this.#isProbing = true;
    const outcome = begin(work);
    await Promise.allSettled([outcome]);
    if (isProbe || this.#circuit.closed) await Promise.allSettled([this.#circuit.fire(outcome)]);
    if (isProbe) this.#isProbing = false;
    return outcome;
  }

  /** The end: timers stop, nothing is admitted or told any more. */
  shutdown(): void {
    this.#circuit.shutdown();
  }
}

/** Work that throws before it has a promise fails like any other. */
async function begin<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
