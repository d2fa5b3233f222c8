/** A batch that the store has said it applied. */
export interface JournalEntry {
  readonly number: number;
  /** Of all groups, as `apply` takes them. */
  readonly args: readonly (string | number)[];
  readonly groups: number;
}

export interface JournalLimits {
  /** Entries older than this are dropped. */
  readonly maxAgeMs: number;
  /** An estimate, of all partitions together. The oldest go first. */
  readonly maxBytes: number;
}

interface Kept extends JournalEntry {
  readonly partition: number;
  readonly bytes: number;
  readonly atMs: number;
}

/** What one argument takes besides its text. */
const argBytes = 8;

/**
 * What this node wrote lately. A store that comes back without its last writes (a failover, a lost tail of its log) is
 * given them once more, with their numbers, from here.
 */
export class Journal {
  readonly #limits: JournalLimits;
  /** In the order of writing: the first is the oldest. */
  readonly #entries = new Set<Kept>();
  readonly #byPartition = new Map<number, Map<number, Kept>>();
  #bytes = 0;

  constructor(limits: JournalLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(partition: number, entry: JournalEntry): void {
    const { number, args, groups } = entry;
    const kept = { partition, number, args, groups, bytes: bytesOf(args), atMs: performance.now() };
    this.#entries.add(kept);
    this.#of(partition).set(number, kept);
    this.#bytes += kept.bytes;
    this.trim();
  }

  /** The batches `first` to `last` in order; undefined when one of them is kept no longer. */
  between(partition: number, first: number, last: number): readonly JournalEntry[] | undefined {
    const entries: JournalEntry[] = [];
    for (let number = first; number <= last; number++) {
      const entry = this.#byPartition.get(partition)?.get(number);
      if (entry === undefined) return undefined;
      entries.push(entry);
    }
    return entries;
  }

  /** The batches above this number are written again, or the numbers begin again. */
  forgetAbove(partition: number, number: number): void {
    for (const entry of [...this.#of(partition).values()]) {
      if (entry.number > number) this.#drop(entry);
    }
  }

  /** Drops what is too old or too much. */
  trim(): void {
    const oldestMs = performance.now() - this.#limits.maxAgeMs;
    for (const entry of this.#entries) {
      if (entry.atMs >= oldestMs && this.#bytes <= this.#limits.maxBytes) return;
      this.#drop(entry);
    }
  }

  #drop(entry: Kept): void {
    this.#entries.delete(entry);
    this.#of(entry.partition).delete(entry.number);
    this.#bytes -= entry.bytes;
  }

  #of(partition: number): Map<number, Kept> {
    const known = this.#byPartition.get(partition);
    if (known !== undefined) return known;
    const entries = new Map<number, Kept>();
    this.#byPartition.set(partition, entries);
    return entries;
  }
}

function bytesOf(args: readonly (string | number)[]): number {
  return args.reduce<number>((sum, arg) => sum + argBytes + (typeof arg === 'string' ? arg.length : 0), 0);
}
