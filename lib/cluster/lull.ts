/** How long to wait for a lull at most. */
const longestMs = 25;

/**
 * A lull among the changes of a node: a turn of the event loop in which none arrived. While nothing else happens that is
 * the next turn, so one change alone does not wait. In a crowd, when every turn brings more, it is declared after 25 ms, and
 * what arrived meanwhile goes to the store together: a script costs more than a change in it, and nobody is idle meanwhile.
 */
export class Lull {
  #waiting: (() => void)[] = [];
  #hasArrivals = false;
  #sinceMs = 0;

  /** A change arrived. */
  arrived(): void {
    this.#hasArrivals = true;
  }

  /** Calls `begin` in the next lull. All who wait are called together. */
  wait(begin: () => void): void {
    this.#waiting.push(begin);
    if (this.#waiting.length > 1) return;
    this.#sinceMs = performance.now();
    this.#nextTurn();
  }

  #nextTurn(): void {
    this.#hasArrivals = false;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    if (this.#hasArrivals && performance.now() - this.#sinceMs < longestMs) {
      this.#nextTurn();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const begin of waiting) begin();
  }
}
