import type { MaybePromise } from '../../flow/maybe-promise.ts';
import { Ring } from '../../flow/ring.ts';
import type { ChangeResult, MembershipChange } from '../membership-store.ts';

/** A call of `apply`: its answer is complete when each of its changes has a result. */
export class Call {
  readonly #results: ChangeResult[];
  #missing: number;
  #resolve: ((results: readonly ChangeResult[]) => void) | undefined;

  constructor(changes: number) {
    this.#results = new Array<ChangeResult>(changes);
    this.#missing = changes;
  }

  /** Once for each change. */
  settle(index: number, result: ChangeResult): void {
    this.#results[index] = result;
    if (--this.#missing === 0) this.#resolve?.(this.#results);
  }

  /** To be asked for once: now when every result is there. */
  answer(): MaybePromise<readonly ChangeResult[]> {
    if (this.#missing === 0) return this.#results;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}

/** The changes of one call to one channel, in order. */
export interface WaitingChanges {
  readonly call: Call;
  readonly appId: string;
  readonly channel: string;
  /** `index`: which change of the call. */
  readonly changes: { readonly change: MembershipChange; readonly index: number }[];
  /** Those before this one are made. */
  next: number;
}

/** What waits for a batch of the partition. */
export class WaitingQueue {
  readonly #items = new Ring<WaitingChanges>();
  #changes = 0;
  #joins = 0;

  /** Changes that wait. */
  get changes(): number {
    return this.#changes;
  }

  /** Joins among them: somebody waits for their answer. */
  get joins(): number {
    return this.#joins;
  }

  push(item: WaitingChanges): void {
    this.#items.push(item);
    this.#changes += item.changes.length;
    this.#joins += joinsIn(item);
  }

  peek(): WaitingChanges | undefined {
    return this.#items.peek();
  }

  shift(): WaitingChanges | undefined {
    const item = this.#items.shift();
    if (item === undefined) return undefined;
    this.#changes -= item.changes.length;
    this.#joins -= joinsIn(item);
    return item;
  }
}

function joinsIn({ changes }: WaitingChanges): number {
  return changes.reduce((joins, { change }) => joins + (change.kind === 'join' ? 1 : 0), 0);
}
