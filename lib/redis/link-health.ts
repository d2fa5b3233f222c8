import { BehaviorSubject } from 'rxjs';
import { Breaker } from '../flow/breaker.ts';
import { reasonOf } from './store-errors.ts';
import { StoreAway } from './store-link.ts';

interface LinkHealthOptions {
  /** Whether everything works again; it has to end. */
  readonly probe: () => Promise<void>;
  readonly onLost: (reason: string) => void;
  readonly onRestored: (awayMs: number) => void;
}

/** While it is down, how often it is tried; each node at its own pace. */
const retryMs = 250;

/** The time of which outcomes count: one failure is enough. */
const windowMs = 1000;

/**
 * Whether the store can be used: a breaker that one failure opens, since whoever was told "away" waits for the way back.
 * Down from the first sign, up when a probe of everything did well.
 */
export class LinkHealth {
  readonly #options: LinkHealthOptions;
  readonly #up$ = new BehaviorSubject(false);
  readonly #breaker: Breaker;
  #hasBegun = false;
  #lostAtMs: number | undefined;
  #reason = '';

  constructor(options: LinkHealthOptions) {
    this.#options = options;
    this.#breaker = new Breaker({
      errorThresholdPercentage: 1e-6,
      volumeThreshold: 1,
      windowMs,
      resetMs: retryMs * (1 + Math.random()),
      onChange: (state) => {
        if (state === 'half-open') void Promise.allSettled([this.#breaker.run(options.probe)]);
        else this.#tell(state === 'closed');
      },
    });
  }

  get isUp(): boolean {
    return this.#up$.value;
  }

  get up$(): BehaviorSubject<boolean> {
    return this.#up$;
  }

  /** It works: from now on failures count. */
  begin(): void {
    this.#hasBegun = true;
    this.#tell(true);
  }

  /**
   * @throws StoreAway at once while it is down; what the work throws. Work that throws opens the breaker, and whoever called
   * hears of it when that is done.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isUp) throw new StoreAway(this.#reason);
    try {
      return await work();
    } catch (error) {
      await this.#fail(reasonOf(error));
      throw error;
    }
  }

  /** A failure outside of `run`. */
  trip(reason: string): void {
    if (!this.#hasBegun || !this.isUp) return;
    void this.#fail(reason);
  }

  close(): void {
    this.#hasBegun = false;
    this.#reason = 'the link is closed';
    this.#breaker.shutdown();
    if (this.isUp) this.#up$.next(false);
    this.#up$.complete();
  }

  /** The breaker hears of failures alone: where one is enough, what went well does not count. */
  async #fail(reason: string): Promise<void> {
    this.#reason = reason;
    await Promise.allSettled([this.#breaker.run(() => Promise.reject(new StoreAway(reason)))]);
  }

  #tell(isUp: boolean): void {
    if (!this.#hasBegun || isUp === this.isUp) return;
    if (isUp && this.#lostAtMs !== undefined)
      this.#options.onRestored(Math.round(performance.now() - this.#lostAtMs));
    if (!isUp) {
      this.#lostAtMs = performance.now();
      this.#options.onLost(this.#reason);
    }
    this.#up$.next(isUp);
  }
}
