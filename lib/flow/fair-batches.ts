import { type Observable, Subject, type Subscription, timer } from 'rxjs';
import { Ring } from './ring.ts';

export type Batch<T> = readonly [T, ...T[]];

/** Calls `work` in a later turn of the event loop, unless what it answers is called before. */
export type NextTurn = (work: () => void) => () => void;

/** The turn after sockets were read. */
export const nextTurn: NextTurn = (work) => {
  const immediate = setImmediate(work);
  return () => clearImmediate(immediate);
};

export interface BatchShape<T> {
  /** The batch closes once it weighs this much. */
  readonly maxSize: number;
  /** What an item weighs, more than 0: those that make much work fill a batch sooner. Default: 1. */
  readonly weightOf?: (item: T) => number;
  /** The longest an item waits for others. The clock starts with the first item, so an idle queue never wakes. */
  readonly maxWaitMs: number;
  /** Items of different groups never share a batch, and groups take turns. Default: one group. */
  readonly by?: (item: T) => unknown;
  /** Urgent items go before others of their group, but not for ever. Default: none is. */
  readonly isUrgent?: (item: T) => boolean;
  /**
   * Until completion at most one batch leaves in a turn of the event loop, and none in the stack of whoever pushes: a storm
   * of items does not keep everybody else waiting. Default: at once, as many as there are slots for.
   */
  readonly pacedBy?: NextTurn;
}

/** Batches of urgent items alone that a group makes in a row while others of its items wait. */
const maxUrgentInARow = 4;

/**
 * Gathers items into batches that close by size, by time or at completion, and hands out at most `slots` of them at once.
 * Whoever takes a batch calls `free` when it is done.
 *
 * While all slots are taken, what could leave waits: then the groups take turns, one batch each, so that a group with
 * many items does not hold up one with few. What is in a batch is decided when it leaves: one that had to wait is fuller.
 *
 * ```
 * push     --a-b-A-----c----|     maxSize 2, maxWaitMs 6; small letters are one group, capitals another
 * batches  ----x-------y----z     x=[a,b] y=[A] z=[c]
 * ```
 */
export class FairBatches<T> {
  readonly batches$: Observable<Batch<T>>;
  readonly #batches$ = new Subject<Batch<T>>();
  readonly #shape: BatchShape<T>;
  readonly #groups = new Map<unknown, Group<T>>();
  readonly #turns = new Ring<Group<T>>();
  #slots: number;
  #isCompleted = false;
  #isHandingOut = false;
  /** Set from when a batch has left, or has to wait, until the next turn. */
  #cancelTurn: (() => void) | undefined;

  constructor(shape: BatchShape<T>, slots: number) {
    this.#shape = shape;
    this.#slots = slots;
    this.batches$ = this.#batches$;
  }

  push(item: T): void {
    const group = this.#groupOf(item);
    group.add({ item, weight: this.#shape.weightOf?.(item) ?? 1 }, this.#shape.isUrgent?.(item) === true);
    if (this.#isCompleted) group.isDue = true;
    else group.window ??= timer(this.#shape.maxWaitMs).subscribe(() => this.#endWindow(group));
    this.#line(group);
    if (!this.#isPaced) this.#handOut();
    else if (this.#slots > 0 && this.#turns.size > 0) this.#awaitTurn();
  }

  /** A batch that left before leaves once more, as it is, in its group's turn. */
  again(batch: Batch<T>): void {
    const group = this.#groupOf(batch[0]);
    group.again.push(batch);
    this.#line(group);
    this.#handOut();
  }

  /** Gives back the slot of a batch. */
  free(): void {
    this.#slots++;
    this.#handOut();
  }

  /** No more items come, except for those that work on a batch brings: nothing waits for others any more. */
  complete(): void {
    this.#isCompleted = true;
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
    for (const group of this.#groups.values()) {
      group.window?.unsubscribe();
      group.window = undefined;
      group.isDue = true;
      this.#line(group);
      this.#handOut();
    }
  }

  /** Ends without handing anything out. */
  close(): void {
    this.#cancelTurn?.();
    this.#batches$.complete();
    for (const group of this.#groups.values()) group.window?.unsubscribe();
    this.#groups.clear();
  }

  #groupOf(item: T): Group<T> {
    const key = this.#shape.by?.(item);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group(key, this.#shape.maxSize);
      this.#groups.set(key, group);
    }
    return group;
  }

  #endWindow(group: Group<T>): void {
    group.window = undefined;
    group.isDue = group.size > 0;
    this.#line(group);
    this.#handOut();
    this.#forgetIfIdle(group);
  }

  #line(group: Group<T>): void {
    if (group.isReady && !group.isInLine) {
      group.isInLine = true;
      this.#turns.push(group);
    }
  }

  get #isPaced(): boolean {
    return this.#shape.pacedBy !== undefined && !this.#isCompleted;
  }

  #awaitTurn(): void {
    this.#cancelTurn ??= this.#shape.pacedBy?.(() => {
      this.#cancelTurn = undefined;
      this.#handOut();
    });
  }

  /** A loop and no recursion: work that is done at once frees its slot while its batch is handed out. */
  #handOut(): void {
    if (this.#isHandingOut) return;
    this.#isHandingOut = true;
    while (this.#slots > 0 && this.#cancelTurn === undefined) {
      const group = this.#turns.shift();
      if (group === undefined) break;
      const batch = group.take();
      group.isInLine = group.isReady;
      if (group.isInLine) this.#turns.push(group);
      this.#forgetIfIdle(group);
      if (batch === undefined) continue;
      this.#slots--;
      if (this.#isPaced) this.#awaitTurn();
      this.#batches$.next(batch);
    }
    this.#isHandingOut = false;
  }

  #forgetIfIdle(group: Group<T>): void {
    if (group.size === 0 && group.window === undefined && !group.isReady) this.#groups.delete(group.key);
  }
}

interface Weighed<T> {
  readonly item: T;
  readonly weight: number;
}

/** What waits of one group. */
class Group<T> {
  readonly key: unknown;
  readonly again = new Ring<Batch<T>>();
  readonly #maxSize: number;
  readonly #urgent = new Ring<Weighed<T>>();
  readonly #others = new Ring<Weighed<T>>();
  #weight = 0;
  /** Runs from the first item that waits; at its end everything that is here is due. */
  window: Subscription | undefined;
  isDue = false;
  isInLine = false;
  #urgentInARow = 0;

  constructor(key: unknown, maxSize: number) {
    this.key = key;
    this.#maxSize = maxSize;
  }

  get size(): number {
    return this.#urgent.size + this.#others.size;
  }

  /** Whether a batch could leave now. */
  get isReady(): boolean {
    return this.again.size > 0 || this.#weight >= this.#maxSize || (this.isDue && this.size > 0);
  }

  add(weighed: Weighed<T>, isUrgent: boolean): void {
    this.#weight += weighed.weight;
    (isUrgent ? this.#urgent : this.#others).push(weighed);
  }

  take(): Batch<T> | undefined {
    const again = this.again.shift();
    if (again !== undefined) return again;
    const othersFirst = this.#urgentInARow >= maxUrgentInARow;
    const others = this.#others.size;
    const batch: T[] = [];
    let room = this.#maxSize;
    for (const ring of othersFirst ? [this.#others, this.#urgent] : [this.#urgent, this.#others]) {
      while (ring.size > 0 && room > 0) {
        const { item, weight } = ring.shift() as Weighed<T>;
        batch.push(item);
        room -= weight;
        this.#weight -= weight;
      }
    }
    this.#urgentInARow = others > 0 && this.#others.size === others ? this.#urgentInARow + 1 : 0;
    if (this.size === 0) {
      this.isDue = false;
      this.#weight = 0;
    }
    return isBatch(batch) ? batch : undefined;
  }
}

function isBatch<T>(items: readonly T[]): items is Batch<T> {
  return items.length > 0;
}
