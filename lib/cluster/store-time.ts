/** The store's time of day, reckoned from what it last said and this process's monotonic clock. */
export class StoreTime {
  #aheadMs: number | undefined;

  heard(nowMs: number): void {
    this.#aheadMs = nowMs - performance.now();
  }

  /** How long until that moment of the store; at once while its time is not known. At most an hour: look again then. */
  until(atMs: number): number {
    if (this.#aheadMs === undefined) return 0;
    return Math.min(Math.max(0, atMs - this.#aheadMs - performance.now()), 3_600_000);
  }
}
