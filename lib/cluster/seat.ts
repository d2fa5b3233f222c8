import type { Renewal } from './renewal.ts';

/** Why a node begins anew in a partition. */
export type AnewCause = 'fenced' | 'wiped' | 'lost';

/**
 * This node's place in one partition: under which name it writes there, to which store, up to which batch, and until
 * when its lease lasts.
 */
export class Seat {
  readonly partition: number;
  readonly nodeId: string;
  #incarnation = 1;
  /** Names of before under which the store may still have something of this node. */
  readonly #formers = new Set<string>();
  #storeId = '';
  #generation = 0;
  /** The most writes the store has said it had. */
  #writes = 0;
  /** The number of the last batch that the store has said it applied. */
  acked = 0;
  /** Whether the store took this name: it may write. */
  isSeated = false;
  #leaseUntilMs = Number.NEGATIVE_INFINITY;
  #renewedAtMs = performance.now();

  constructor(partition: number, nodeId: string) {
    this.partition = partition;
    this.nodeId = nodeId;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get holder(): string {
    return `${this.nodeId}.${this.#incarnation}`;
  }

  /** The store's id; '' until it is known. */
  get storeId(): string {
    return this.#storeId;
  }

  get generation(): number {
    return this.#generation;
  }

  /** How many scripts are known to have changed the store. One with fewer has lost some. */
  get writes(): number {
    return this.#writes;
  }

  get formers(): ReadonlySet<string> {
    return this.#formers;
  }

  /** When a renewal that was answered was last sent, by `performance.now()`. */
  get renewedAtMs(): number {
    return this.#renewedAtMs;
  }

  get leaseUntilMs(): number {
    return this.#leaseUntilMs;
  }

  /**
   * Whether the lease lasts so much longer. Asked of the clock each time: a process that was stopped and goes on has none
   * from its first instruction.
   */
  hasLease(forMs = 0): boolean {
    return performance.now() + forMs < this.#leaseUntilMs;
  }

  /** The store took this name. */
  seated({ storeId, generation, writes }: Pick<Renewal, 'storeId' | 'generation' | 'writes'>): void {
    this.#storeId = storeId;
    this.#generation = generation;
    this.wrote(writes);
    this.isSeated = true;
  }

  /** The store said how many writes it has. False: it had more, and the next renewal tells it so. */
  wrote(writes: number): boolean {
    const isWhole = writes >= this.#writes;
    if (isWhole) this.#writes = writes;
    return isWhole;
  }

  /** It counts from when it was asked for: the store has counted from later. */
  renewed(sentAtMs: number, leaseMs: number): void {
    this.#renewedAtMs = sentAtMs;
    this.#leaseUntilMs = sentAtMs + leaseMs;
  }

  /** The next name. What the former one holds is to be removed, unless the store has lost it. */
  beginAnew(cause: AnewCause): void {
    if (cause === 'wiped') {
      this.#formers.clear();
      this.#storeId = '';
      this.#writes = 0;
    } else {
      this.#formers.add(this.holder);
    }
    this.#incarnation++;
    this.acked = 0;
    this.isSeated = false;
    this.#leaseUntilMs = Number.NEGATIVE_INFINITY;
  }

  forgetFormer(holder: string): void {
    this.#formers.delete(holder);
  }
}
