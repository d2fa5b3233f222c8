interface Call {
  readonly atMs: number;
}

/** Tells when a call has waited too long for its answer: the first sign of a store that hangs. Costs one timer. */
export class Overdue {
  readonly #waiting = new Set<Call>();
  readonly #limitMs: number;
  readonly #onOverdue: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, onOverdue: () => void) {
    this.#limitMs = limitMs;
    this.#onOverdue = onOverdue;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Call what it answers when the answer came, whichever. */
  begin(): () => void {
    const call = { atMs: performance.now() };
    this.#waiting.add(call);
    this.#timer ??= setTimeout(() => this.#check(), this.#limitMs);
    return () => {
      this.#waiting.delete(call);
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  /** After a pause of this process the answers may be there, unread: they are read before this is decided. */
  #check(): void {
    setImmediate(() => {
      this.#timer = undefined;
      const [oldest] = this.#waiting;
      if (oldest === undefined) return;
      const leftMs = oldest.atMs + this.#limitMs - performance.now();
      if (leftMs <= 0) this.#onOverdue();
      this.#timer = setTimeout(() => this.#check(), Math.max(leftMs, this.#limitMs / 4));
    });
  }
}
