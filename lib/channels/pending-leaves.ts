import type { PendingLeave } from './subscription.ts';

/** So many that were heard may be kept beyond as many as are pending: few channels ever have to let go of them. */
const slack = 256;

/**
 * The leaves of a channel that its membership store has yet to hear of, in order. In a storm there are as many as
 * subscriptions, each added and heard within a moment: hence a list, and no set that grows and shrinks.
 */
export class PendingLeaves {
  /** Those that are pending, and some that were heard. */
  #kept: PendingLeave[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** What is held in memory. */
  get kept(): number {
    return this.#kept.length;
  }

  add(leave: PendingLeave): void {
    this.#kept.push(leave);
    this.#size++;
  }

  /** The store has heard of it; nothing, the second time. */
  heard(leave: PendingLeave): void {
    if (leave.state === 'heard') return;
    leave.state = 'heard';
    this.#size--;
    if (this.#size === 0) this.#kept = [];
    else if (this.#kept.length > 2 * this.#size + slack) this.#kept = this.#kept.filter(isPending);
  }

  /** Those that no call to the store carries. */
  untold(): readonly PendingLeave[] {
    return this.#size === 0 ? [] : this.#kept.filter(({ state }) => state === 'untold');
  }
}

function isPending({ state }: PendingLeave): boolean {
  return state !== 'heard';
}
