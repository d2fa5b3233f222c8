import { Breaker } from '../flow/breaker.ts';
import type { Clock } from '../flow/clock.ts';
import { outcomeOf } from './outcome.ts';
import type { PostResult } from './post.ts';

/** Half of at least five attempts within ten seconds failed: nothing is sent for five seconds, then one probe. */
const breakerLimits = { errorThresholdPercentage: 50, volumeThreshold: 5, windowMs: 10_000, resetMs: 5_000 };
/** An endpoint that took something within this time is one that was well. */
const wellForMs = 300_000;

export type BreakerState = Breaker['state'];

/** What may begin with an endpoint: as much as has room, one probe at a time, or nothing. */
export type Admission = 'all' | 'probe' | 'none';

export interface HealthHooks {
  readonly clock: Clock;
  /** The breaker has changed. */
  readonly onChange: (state: BreakerState) => void;
  /** The endpoint took something after it had failed. */
  readonly onRecovered: () => void;
}

/** A request that failed, as breakers want to be told. */
class AttemptFailed extends Error {
  readonly result: PostResult;

  constructor(result: PostResult) {
    super('the attempt failed');
    this.result = result;
  }
}

/**
 * How an endpoint is, as seen from the outcome of its requests. Failures open its breaker; a refusal (4xx) does not: who
 * refuses a batch is there.
 */
export class EndpointHealth {
  lastSuccessAtMs: number | undefined;
  lastFailure: string | undefined;
  isPaused = false;
  readonly #hooks: HealthHooks;
  readonly #breaker: Breaker;
  #isFailing = false;
  /** While set, it counts more than the breaker: somebody asked for an attempt now. */
  #overrule: 'all' | 'probe' | undefined;
  #isDraining = false;
  #isLeftAlone = false;

  constructor(hooks: HealthHooks) {
    this.#hooks = hooks;
    this.#breaker = new Breaker({
      ...breakerLimits,
      onChange: (state) => {
        if (state !== 'open') this.#overrule = undefined;
        hooks.onChange(state);
      },
    });
  }

  get state(): BreakerState | 'paused' {
    return this.isPaused ? 'paused' : this.#breaker.state;
  }

  get admission(): Admission {
    if (this.isPaused || this.#isLeftAlone) return 'none';
    if (this.#overrule !== undefined) return this.#overrule;
    const { state } = this.#breaker;
    if (state === 'closed') return 'all';
    return state === 'half-open' ? 'probe' : 'none';
  }

  get wasWell(): boolean {
    const { lastSuccessAtMs } = this;
    return lastSuccessAtMs !== undefined && this.#hooks.clock.now() - lastSuccessAtMs < wellForMs;
  }

  /** Sends, and takes note of what came of it. */
  async attempt(send: () => Promise<PostResult>): Promise<PostResult> {
    const result = this.#overrule === undefined ? await this.#throughBreaker(send) : await send();
    const { outcome } = outcomeOf(result);
    if (outcome === 'taken') this.#noteSuccess();
    if (outcome === 'failed') this.#noteFailure();
    return result;
  }

  /** An attempt is due whatever the breaker says. A half-open one lets its probe through itself, and closes by it. */
  overrule(): void {
    this.isPaused = false;
    this.#overrule = this.#breaker.state === 'open' ? 'probe' : undefined;
  }

  /** The last attempts are due; from the first that fails on, the endpoint is left alone. */
  drain(): void {
    this.#isDraining = true;
    if (!this.isPaused) this.overrule();
  }

  close(): void {
    this.#breaker.shutdown();
  }

  async #throughBreaker(send: () => Promise<PostResult>): Promise<PostResult> {
    try {
      return await this.#breaker.run(async () => {
        const result = await send();
        if (outcomeOf(result).outcome === 'failed') throw new AttemptFailed(result);
        return result;
      });
    } catch (error) {
      if (error instanceof AttemptFailed) return error.result;
      throw error;
    }
  }

  #noteSuccess(): void {
    const wasFailing = this.#isFailing;
    this.#isFailing = false;
    this.lastSuccessAtMs = this.#hooks.clock.now();
    if (this.#overrule !== undefined) this.#overrule = this.#breaker.state === 'open' ? 'all' : undefined;
    if (wasFailing) this.#hooks.onRecovered();
  }

  #noteFailure(): void {
    this.#isFailing = true;
    this.#overrule = undefined;
    if (this.#isDraining) this.#isLeftAlone = true;
  }
}
