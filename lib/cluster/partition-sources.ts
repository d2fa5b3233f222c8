import { fairShares } from './fair-shares.ts';
import type { Group, GroupSource } from './group-source.ts';
import type { JournalEntry } from './journal.ts';

/** Groups of one partition that go to the store together. */
export interface Batch {
  /** Of all groups, as `apply` takes them. */
  args: readonly (string | number)[];
  readonly groups: number;
  readonly changes: number;
  readonly isReplay: boolean;
  /** Who waits for the answer; nobody any more once it was given. */
  asked: readonly Group[];
  cause: '' | 'reconciled';
  /** With this batch everything that was to be told under a new name has been. */
  endsAssertion: boolean;
}

/** Changes of a batch; of one when more wait than that. */
export const usualChanges = 64;
export const mostChanges = 256;

/** What the sources of a node have for one partition. */
export class PartitionSources {
  readonly #sources: readonly GroupSource[];
  readonly #partition: number;
  /** Sources that have yet to tell everything under the new name. */
  #asserting: Set<GroupSource> | undefined;

  constructor(sources: readonly GroupSource[], partition: number) {
    this.#sources = sources;
    this.#partition = partition;
  }

  get isAsserting(): boolean {
    return this.#asserting !== undefined;
  }

  waiting(): { readonly changes: number; readonly isUrgent: boolean } {
    let changes = 0;
    let isUrgent = false;
    for (const source of this.#sources) {
      const one = source.waiting(this.#partition);
      changes += one.changes;
      isUrgent ||= one.isUrgent;
    }
    return { changes, isUrgent };
  }

  assertAll(isWiped: boolean): void {
    this.#asserting = new Set(this.#sources);
    for (const source of this.#sources) source.assertAll(this.#partition, { isWiped });
  }

  /** Whether there was an assertion under way, of which nothing is left. */
  endAssertion(): boolean {
    const wasAsserting = this.isAsserting;
    this.#asserting = undefined;
    return wasAsserting;
  }

  take(): Batch | undefined {
    const groups = this.#takeGroups();
    if (groups.length === 0) return undefined;
    return {
      args: groups.flatMap(({ args }) => args),
      groups: groups.length,
      changes: groups.reduce((sum, { changes }) => sum + changes, 0),
      isReplay: false,
      asked: groups,
      cause: this.isAsserting ? 'reconciled' : '',
      endsAssertion: this.#hasAsserted() && this.endAssertion(),
    };
  }

  /** What is done without the store makes no group: behind it there may be what the store has to hear. */
  #takeGroups(): readonly Group[] {
    let before = Number.POSITIVE_INFINITY;
    for (let changes = this.waiting().changes; changes < before; changes = this.waiting().changes) {
      const groups = this.#takeShares();
      if (groups.length > 0) return groups;
      before = changes;
    }
    return [];
  }

  /** Each source has its share, in the order of the sources. One that can do nothing with so little may have it all. */
  #takeShares(): readonly Group[] {
    const wanted = this.#sources.map((source) => source.waiting(this.#partition).changes);
    const total = wanted.reduce((sum, changes) => sum + changes, 0);
    const shares = fairShares(wanted, total > usualChanges ? mostChanges : usualChanges);
    const groups = this.#sources.flatMap((source, i) => this.#takeFrom(source, shares[i]));
    if (groups.length > 0) return groups;
    for (const [i, source] of this.#sources.entries()) {
      const taken = this.#takeFrom(source, Math.min(wanted[i] ?? 0, 1) * mostChanges);
      if (taken.length > 0) return taken;
    }
    return [];
  }

  #takeFrom(source: GroupSource, room = 0): readonly Group[] {
    return room > 0 ? source.take(this.#partition, room) : [];
  }

  /** Whether each source has been without anything since. */
  #hasAsserted(): boolean {
    const asserting = this.#asserting ?? [];
    for (const source of asserting) {
      if (source.waiting(this.#partition).changes === 0) this.#asserting?.delete(source);
    }
    return this.#asserting?.size === 0;
  }
}

/** A batch that the store had and lost. */
export function toReplay({ args, groups }: JournalEntry): Batch {
  return { args, groups, changes: 0, isReplay: true, asked: [], cause: 'reconciled', endsAssertion: false };
}
