import type { ClusterCounts } from './cluster-counts.ts';
import { numberOf, type ScriptCalls } from './script-calls.ts';
import type { Seat } from './seat.ts';
import type { SendGate } from './send-gate.ts';
import type { StoreTime } from './store-time.ts';

export interface DeadlineOptions {
  readonly seat: Seat;
  readonly calls: ScriptCalls;
  readonly gate: SendGate;
  readonly counts: ClusterCounts;
  readonly time: StoreTime;
  readonly settings: { readonly renewMs: number; readonly retainMs: number };
  /** Whether firing is this node's part: it owns the partition, or nobody does. */
  readonly mayFire: () => boolean;
}

const perCall = 256;
/** A little later, so that what is due at almost the same moment is fired by one call; others leave it to the owner first. */
const ownerDelayMs = 25;
const otherDelayMs = 50;

/**
 * The next deadline of one partition, fired when it comes. The owner hears of it with its renewals at the latest; one that
 * comes sooner than that is fired by whoever armed it, too. Firing what another has fired does nothing.
 */
export class Deadlines {
  readonly #options: DeadlineOptions;
  /** What is waited for, and until when by `performance.now()`. */
  #armed: { readonly atMs: number; readonly untilMs: number; readonly timer: NodeJS.Timeout } | undefined;
  #isFiring = false;

  constructor(options: DeadlineOptions) {
    this.#options = options;
  }

  /** Whether a deadline has come and is not fired yet. */
  get isDue(): boolean {
    return this.#isFiring || (this.#armed !== undefined && this.#options.time.until(this.#armed.atMs) === 0);
  }

  /**
   * The store's next deadline, by its time; 0: there is none. What was heard last holds: the one before may be cancelled.
   * One that is heard of again and again is not put off by that.
   */
  note(atMs: number): void {
    if (atMs === 0) return;
    const { time, settings, mayFire } = this.#options;
    const waitMs = time.until(atMs);
    if (!mayFire() && waitMs >= settings.renewMs) return;
    const delayMs = waitMs + (mayFire() ? ownerDelayMs : otherDelayMs);
    const untilMs = performance.now() + delayMs;
    if (this.#armed?.atMs === atMs && this.#armed.untilMs <= untilMs) return;
    this.stop();
    this.#armed = { atMs, untilMs, timer: setTimeout(() => void this.#fireDue(), delayMs).unref() };
  }

  /** Fires everything, due or not. */
  async fireAll(): Promise<void> {
    await this.#fire(true);
  }

  stop(): void {
    clearTimeout(this.#armed?.timer);
    this.#armed = undefined;
  }

  async #fireDue(): Promise<void> {
    this.stop();
    if (this.#isFiring) return;
    this.#isFiring = true;
    const nextMs = await this.#fire(false);
    this.#isFiring = false;
    this.note(nextMs);
  }

  /** The next deadline; 0 when there is none or the store did not say: the next renewal does. */
  async #fire(isAll: boolean): Promise<number> {
    const { seat, calls, gate, counts, settings } = this.#options;
    for (;;) {
      const { word, rest } = await gate.run(() =>
        calls.run('fire', [seat.holder, seat.storeId, perCall, settings.retainMs, isAll ? 1 : 0]),
      );
      if (word !== 'OK') return 0;
      const [fired = 0, nextDeadlineMs = 0, writes = 0] = rest.map(numberOf);
      seat.wrote(writes);
      counts.firedDeadlines += fired;
      if (fired < perCall) return nextDeadlineMs;
    }
  }
}
