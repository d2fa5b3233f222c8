/**
 * A part of a batch: what happened to one channel, one signed-in user or one event, as arguments of the `apply` script.
 */
export interface Group {
  /** As `apply` takes them (docs/cluster.md). Once answered, as a store takes them that has lost the batch again. */
  readonly args: readonly (string | number)[];
  /** Changes in it: what counts against the size of a batch. */
  readonly changes: number;
  /**
   * The store has applied the group, and says this of it. Called once, in the order of the groups; late when the store was
   * away in between. Never throws.
   */
  answered(reply: string): void;
}

/**
 * Somebody with changes for the store: membership, sign-ins, events. Asked when a batch may go, not before: what is sent is
 * what is true then.
 */
export interface GroupSource {
  /** Takes what waits for the partition, up to `room` changes, in order. */
  take(partition: number, room: number): readonly Group[];
  /** Changes that wait for the partition, and whether somebody waits for the answer (a join) or not (leaves). */
  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean };
  /**
   * The store cannot be reached: whoever waits is answered from what this node knows, and until `returned` so is whoever
   * comes. What is true is told when the store is back.
   */
  away(): void;
  /** The store can be reached again; what this node changed meanwhile waits to be taken, key by key. */
  returned(): void;
  /**
   * The node begins anew in this partition, under a new name: everything it holds there waits to be taken again. `isWiped`:
   * the store has lost what it had; what this node gave up lately, and the store may not have told, is told as well.
   */
  assertAll(partition: number, options: { readonly isWiped: boolean }): void;
  /** The store has lost batches of this node; they are about to be written again. */
  lost?(partition: number): void;
}
