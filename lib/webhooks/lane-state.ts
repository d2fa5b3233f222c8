import type { Lane } from '../outbox/outbox.ts';

/**
 * Where a lane is: nothing to send; waiting for its batch to fill; in the queue for a slot; in one; waiting for its next
 * attempt.
 */
type LaneStep = 'idle' | 'gathering' | 'due' | 'working' | 'waiting';

/** What the schedule knows of a lane. */
export class LaneState {
  readonly lane: Lane;
  step: LaneStep = 'idle';
  /** Of the turn it has, while it works. */
  turnNumber = 0;
  /** Turns in a row that were postponed. */
  failures = 0;
  /** Told of more while it worked. */
  isWoken = false;
  /** Events behind its position, as it was last told since its turn began. */
  pending = 0;
  /** As many are enough to end the gathering. */
  enoughPending = 0;
  /** While it waits: the endpoint asked not to be called before. */
  notBeforeMs = 0;
  /** While it waits: it is not the endpoint it waits for, so work that is told ends the wait. */
  isHeld = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(lane: Lane) {
    this.lane = lane;
  }

  /** Takes the next step; `after`, when something is to happen if it stays there that long. */
  go(step: LaneStep, after?: { readonly ms: number; readonly run: () => void }): void {
    clearTimeout(this.#timer);
    this.step = step;
    this.isHeld = false;
    this.#timer = after === undefined ? undefined : setTimeout(after.run, after.ms).unref();
  }

  stopTimer(): void {
    clearTimeout(this.#timer);
  }
}
