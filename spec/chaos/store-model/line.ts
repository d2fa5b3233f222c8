/** One direction of a connection: what goes in comes out later, in order, unless the line is cut meanwhile. */
export class Line {
  readonly #delayMs: () => number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastMs = 0;

  constructor(delayMs: () => number) {
    this.#delayMs = delayMs;
  }

  send(arrive: () => void): void {
    const nowMs = Date.now();
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.#delayMs());
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      arrive();
    }, this.#lastMs - nowMs);
    this.#timers.add(timer);
  }

  /** What is on the way is lost. */
  cut(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#lastMs = 0;
  }
}
