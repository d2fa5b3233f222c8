interface Call {
  readonly atRanMs: number;
}

/**
 * Tells when a call has waited too long for its answer: the first sign of a store that hangs. Time in which this process
 * stood still does not count, for nothing was sent or read in it: a wait is counted in steps of a quarter of the limit,
 * however late the end of one is noticed. Costs one timer.
 */
export class Overdue {
  readonly #waiting = new Set<Call>();
  readonly #limitMs: number;
  readonly #stepMs: number;
  readonly #onOverdue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #steppedAtMs = 0;
  /** What was counted up to the last step. */
  #ranMs = 0;

  constructor(limitMs: number, onOverdue: () => void) {
    this.#limitMs = limitMs;
    this.#stepMs = limitMs / 4;
    this.#onOverdue = onOverdue;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether some call has waited too long, as of the last step. */
  get isOverdue(): boolean {
    const [oldest] = this.#waiting;
    return oldest !== undefined && this.#ranMs - oldest.atRanMs >= this.#limitMs;
  }

  /** Call what it answers when the answer came, whichever. */
  begin(): () => void {
    if (this.#timer === undefined) {
      this.#steppedAtMs = performance.now();
      this.#schedule();
    }
    const call = { atRanMs: this.#ranMs + this.#sinceStepMs() };
    this.#waiting.add(call);
    return () => {
      this.#waiting.delete(call);
    };
  }

  close(): void {
    this.#stop();
    this.#waiting.clear();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#step(), this.#stepMs);
  }

  #sinceStepMs(): number {
    return Math.min(this.#stepMs, performance.now() - this.#steppedAtMs);
  }

  /** Answers that are there, unread, are read before this is decided. */
  #step(): void {
    this.#ranMs += this.#sinceStepMs();
    this.#steppedAtMs = performance.now();
    this.#schedule();
    setImmediate(() => {
      if (this.#waiting.size === 0) this.#stop();
      else if (this.isOverdue) this.#onOverdue();
    });
  }
}
