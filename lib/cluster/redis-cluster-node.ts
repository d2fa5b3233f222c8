import { randomUUID } from 'node:crypto';
import { type Observable, Subject } from 'rxjs';
import type { StoreLink, Topic } from '../redis/store-link.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type ClusterCounts, newCounts } from './cluster-counts.ts';
import type { ClusterNode, OwnershipChange, PartitionHeads } from './cluster-node.ts';
import { ClusterPartition, type ClusterSettings } from './cluster-partition.ts';
import type { GroupSource } from './group-source.ts';
import { Journal } from './journal.ts';
import { Lull } from './lull.ts';
import { SendGate } from './send-gate.ts';

export interface RedisClusterNodeOptions {
  /** Twelve hexadecimal digits, new with each process. */
  readonly nodeId: string;
  readonly link: StoreLink;
  readonly telemetry: Telemetry;
  readonly settings: Omit<ClusterSettings, 'partitions'>;
  /** Whether a partition may go to another node now: none of its batches is under way here. */
  readonly mayGive: (partition: number) => boolean;
  /** For a store that has no id yet; default: random. */
  readonly newStoreId?: () => string;
}

export interface ClusterMetrics extends Readonly<ClusterCounts> {
  /** How long ago the oldest lease was renewed, in milliseconds. */
  readonly leaseAgeMs: number;
  /** The highest among the partitions: how often one of them was found to have lost something. */
  readonly generation: number;
  readonly ownedPartitions: number;
  readonly journalBytes: number;
  readonly scriptsInFlight: number;
  readonly scriptsWaiting: number;
}

/** Long scripts of this node at once. */
const scriptsAtOnce = 4;
const journalLimits = { maxAgeMs: 30_000, maxBytes: 10_000_000 };
/** What a stop waits for when the store is slow to take the rest. */
const leaveMs = 5000;

/** A node beside others on one Redis. The link is open before the node is, and closed after it. */
export class RedisClusterNode implements ClusterNode {
  readonly nodeId: string;
  readonly ownership$: Observable<OwnershipChange>;
  readonly heads$: Observable<PartitionHeads>;
  readonly #link: StoreLink;
  readonly #renewMs: number;
  readonly #sources: GroupSource[] = [];
  readonly #partitions: readonly ClusterPartition[];
  readonly #ownership$ = new Subject<OwnershipChange>();
  readonly #heads$ = new Subject<PartitionHeads>();
  readonly #gate = new SendGate(scriptsAtOnce);
  readonly #journal = new Journal(journalLimits);
  readonly #counts = newCounts();
  /** Sources answer from what this node knows. */
  #isAway = false;
  #isOpen = false;
  /** Counts how often the link came or went: whoever waited meanwhile sees that it is another time. */
  #times = 0;
  #ticking: NodeJS.Timeout | undefined;

  constructor({ nodeId, link, telemetry, settings, mayGive, newStoreId }: RedisClusterNodeOptions) {
    this.nodeId = nodeId;
    this.ownership$ = this.#ownership$.asObservable();
    this.heads$ = this.#heads$.asObservable();
    this.#link = link;
    this.#renewMs = settings.renewMs;
    const tools = {
      link,
      telemetry,
      mayGive,
      settings: { ...settings, partitions: link.partitions },
      sources: this.#sources,
      gate: this.#gate,
      lull: new Lull(),
      journal: this.#journal,
      counts: this.#counts,
      newStoreId: newStoreId ?? randomUUID,
      onOwned: (partition: number, isOwned: boolean) => this.#ownership$.next({ partition, isOwned }),
      onHeads: (heads: PartitionHeads) => this.#heads$.next(heads),
    };
    this.#partitions = Array.from(
      { length: link.partitions },
      (_, number) => new ClusterPartition(number, nodeId, tools),
    );
  }

  get metrics(): ClusterMetrics {
    const renewedAtMs = this.#partitions.map(({ seat }) => seat.renewedAtMs);
    return {
      ...this.#counts,
      begunAnew: { ...this.#counts.begunAnew },
      leaseAgeMs: performance.now() - Math.min(...renewedAtMs),
      generation: Math.max(...this.#partitions.map(({ seat }) => seat.generation)),
      ownedPartitions: this.#partitions.filter(({ keeper }) => keeper.owns()).length,
      journalBytes: this.#journal.bytes,
      scriptsInFlight: this.#gate.inFlight,
      scriptsWaiting: this.#gate.waiting,
    };
  }

  /** Partitions with a deadline that has come and is not fired yet. */
  get duePartitions(): number {
    return this.#partitions.filter(({ deadlines }) => deadlines.isDue).length;
  }

  addSource(source: GroupSource): void {
    this.#sources.push(source);
  }

  poke(partition: number): void {
    this.#partition(partition).writer.poke();
  }

  holderOf(partition: number): string {
    return this.#partition(partition).seat.holder;
  }

  owns(partition: number, forMs = 0): boolean {
    return this.#partition(partition).keeper.owns(forMs);
  }

  liveNodes(partition: number): number {
    return this.#link.isUp ? this.#partition(partition).keeper.liveNodes : 1;
  }

  /** @throws SpillwayError `cluster.partitions`: the store is divided otherwise. */
  async open(): Promise<void> {
    void this.#link.messages$.forEach((topic) => this.#heard(topic));
    await this.#link.listen(this.#partitions.map((_, partition) => ({ partition, name: 'sys' })));
    try {
      await this.#openPartitions();
    } catch (error) {
      for (const partition of this.#partitions) partition.stop();
      throw error;
    }
    this.#isOpen = true;
    this.#startRenewing();
    for (const { writer } of this.#partitions) writer.resume();
    void this.#link.up$.forEach((isUp) => {
      if (isUp) void this.#up();
      else this.#down();
    });
  }

  async settle(): Promise<void> {
    if (this.#isAway || !this.#isOpen) return;
    await this.#each(async ({ keeper, writer, deadlines }) => {
      await writer.flush();
      if ((await keeper.renew()) && keeper.liveNodes === 1) await deadlines.fireAll();
    });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#ticking);
    if (!this.#isAway) await this.#leave();
    for (const partition of this.#partitions) partition.stop();
    this.#ownership$.complete();
    this.#heads$.complete();
  }

  /** One first: a store that is divided otherwise is not to be given further partitions. */
  async #openPartitions(): Promise<void> {
    await this.#partition(0).open();
    await Promise.all(this.#partitions.slice(1).map((partition) => partition.open()));
  }

  async #leave(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, leaveMs);
    });
    await Promise.race([this.#each((partition) => partition.leave()), isLate]);
    clearTimeout(timer);
  }

  /** One partition after the other: a store that hangs is noticed with the next of them. */
  #startRenewing(): void {
    const startedMs = performance.now();
    const everyMs = this.#renewMs / this.#partitions.length;
    let renewed = 0;
    this.#ticking = setInterval(() => {
      const due = Math.floor((performance.now() - startedMs) / everyMs);
      const from = Math.max(renewed, due - this.#partitions.length);
      renewed = due;
      for (let turn = from; turn < due; turn++) this.#renew(turn % this.#partitions.length);
    }, everyMs).unref();
  }

  #renew(partition: number): void {
    if (!this.#link.isUp) return;
    this.#journal.trim();
    const { keeper } = this.#partition(partition);
    if (!keeper.isRenewing) void keeper.renew();
  }

  /** Leases first, then what was not answered, then what changed meanwhile, so many scripts at once as ever. */
  async #up(): Promise<void> {
    if (!this.#isAway || !this.#isOpen) return;
    const time = ++this.#times;
    await this.#each(({ keeper }) => keeper.renew());
    if (time !== this.#times || !this.#isStillOpen()) return;
    this.#isAway = false;
    for (const source of this.#sources) source.returned();
    for (const { writer } of this.#partitions) writer.resume();
  }

  #down(): void {
    this.#times++;
    for (const { writer } of this.#partitions) writer.suspend();
    if (this.#isAway) return;
    this.#isAway = true;
    for (const source of this.#sources) source.away();
  }

  /** A partition without an owner. What else is said on this topic is for others. */
  #heard({ partition, name, message }: Topic & { readonly message: string }): void {
    if (name !== 'sys' || message !== 'o' || !this.#isOpen) return;
    void this.#partition(partition).keeper.ownerGone();
  }

  async #each(work: (partition: ClusterPartition) => Promise<unknown>): Promise<void> {
    await Promise.all(this.#partitions.map(work));
  }

  #isStillOpen(): boolean {
    return this.#isOpen;
  }

  #partition(number: number): ClusterPartition {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new RangeError(`there is no partition ${number}`);
    return partition;
  }
}
