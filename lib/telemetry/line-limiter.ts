/** Lines that one kind of event may write in a second, where its catalogue row says `limited`. */
export const maxLinesPerSecond = 200;

interface Second {
  readonly startMs: number;
  written: number;
  suppressed: number;
}

/**
 * Keeps what strangers cause from filling the log: of each limited event the first 200 lines of a second are written, the
 * rest counted and told in one line. Metrics count them all.
 */
export class LineLimiter {
  readonly #seconds = new Map<string, Second>();
  readonly #onSuppressed: (event: string, lines: number) => void;

  constructor(onSuppressed: (event: string, lines: number) => void) {
    this.#onSuppressed = onSuppressed;
  }

  admits(event: string, nowMs: number): boolean {
    const second = this.#current(event, nowMs);
    if (second.written >= maxLinesPerSecond) {
      second.suppressed++;
      return false;
    }
    second.written++;
    return true;
  }

  /** Tells what has not been told yet. */
  flush(): void {
    for (const [event, { suppressed }] of this.#seconds) {
      if (suppressed > 0) this.#onSuppressed(event, suppressed);
    }
    this.#seconds.clear();
  }

  #current(event: string, nowMs: number): Second {
    const second = this.#seconds.get(event);
    if (second !== undefined && nowMs - second.startMs < 1_000) return second;
    if (second !== undefined && second.suppressed > 0) this.#onSuppressed(event, second.suppressed);
    const next = { startMs: nowMs, written: 0, suppressed: 0 };
    this.#seconds.set(event, next);
    return next;
  }
}
