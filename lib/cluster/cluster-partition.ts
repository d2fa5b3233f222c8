import type { SpillwayError } from '../errors/spillway-error.ts';
import type { StoreLink } from '../redis/store-link.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ClusterCounts } from './cluster-counts.ts';
import type { PartitionHeads } from './cluster-node.ts';
import { Deadlines } from './deadlines.ts';
import type { GroupSource } from './group-source.ts';
import type { Journal } from './journal.ts';
import type { Lull } from './lull.ts';
import { PartitionKeeper } from './partition-keeper.ts';
import { PartitionSources } from './partition-sources.ts';
import { PartitionWriter } from './partition-writer.ts';
import { Reaper } from './reaper.ts';
import type { Renewal } from './renewal.ts';
import { numberOf, ScriptCalls } from './script-calls.ts';
import { type AnewCause, Seat } from './seat.ts';
import type { SendGate } from './send-gate.ts';
import { StoreTime } from './store-time.ts';

export interface ClusterSettings {
  readonly partitions: number;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** How long a leave waits for a return before it is told outside. */
  readonly graceMs: number;
  /** How long the store remembers a channel that nobody is in. */
  readonly retainMs: number;
}

/** What the partitions of a node share. */
export interface PartitionTools {
  readonly link: StoreLink;
  readonly telemetry: Telemetry;
  readonly settings: ClusterSettings;
  readonly sources: readonly GroupSource[];
  readonly gate: SendGate;
  readonly lull: Lull;
  readonly journal: Journal;
  readonly counts: ClusterCounts;
  readonly newStoreId: () => string;
  readonly mayGive: (partition: number) => boolean;
  readonly onOwned: (partition: number, isOwned: boolean) => void;
  readonly onHeads: (heads: PartitionHeads) => void;
}

/** This node in one partition: what it writes there, its lease, the deadlines it fires and the dead it reaps. */
export class ClusterPartition {
  readonly seat: Seat;
  readonly keeper: PartitionKeeper;
  readonly writer: PartitionWriter;
  readonly deadlines: Deadlines;
  readonly #number: number;
  readonly #tools: PartitionTools;
  readonly #calls: ScriptCalls;
  readonly #reaper: Reaper;
  /** Under this name everything was told: former names are of no use. */
  #isAsserted = true;
  #problem: SpillwayError | undefined;

  constructor(number: number, nodeId: string, tools: PartitionTools) {
    const { telemetry, counts, gate, journal, settings } = tools;
    this.#number = number;
    this.#tools = tools;
    this.seat = new Seat(number, nodeId);
    this.#calls = new ScriptCalls(tools.link, number, telemetry, counts);
    const shared = { seat: this.seat, calls: this.#calls, gate, counts, telemetry, settings };
    const time = new StoreTime();
    const onUseless = (cause: AnewCause): void => this.#beginAnew(cause);
    const onDeadline = (atMs: number): void => this.deadlines.note(atMs);
    this.keeper = new PartitionKeeper({
      ...shared,
      time,
      onUseless,
      newStoreId: tools.newStoreId,
      mayGive: () => tools.mayGive(number),
      onOwned: (isOwned) => this.#owned(isOwned),
      onRenewed: (renewal) => this.#renewed(renewal),
      onLost: (stored) => this.#lost(stored),
      onRefused: (problem) => this.#refused(problem),
    });
    this.writer = new PartitionWriter({
      ...shared,
      journal,
      lull: tools.lull,
      onUseless,
      onDeadline,
      sources: new PartitionSources(tools.sources, number),
      renew: () => this.keeper.renew(),
      onAsserted: () => this.#asserted(),
    });
    this.deadlines = new Deadlines({ ...shared, time, mayFire: () => this.#mayFire() });
    this.#reaper = new Reaper({ ...shared, onDeadline });
  }

  /**
   * The first renewal.
   *
   * @throws SpillwayError `cluster.partitions`; another error when the store did not answer.
   */
  async open(): Promise<void> {
    if (await this.keeper.renew()) return;
    throw this.#problem ?? new Error(`the store gave no lease in partition ${this.#number}`);
  }

  /** Owns nothing from now on, writes what waits, and goes: with its lease it gives the partition back. */
  async leave(): Promise<void> {
    this.keeper.leave();
    await this.writer.flush();
    this.keeper.stop();
    const { word, rest } = await this.#calls.run('retire', [this.seat.holder, this.seat.storeId]);
    if (word === 'HELD') {
      this.#tools.telemetry.emit('cluster.held', { partition: this.#number, entries: numberOf(rest[0]) });
    }
    this.seat.isSeated = false;
  }

  stop(): void {
    this.keeper.leave();
    this.keeper.stop();
    this.writer.suspend();
    this.deadlines.stop();
  }

  #beginAnew(cause: AnewCause): void {
    const { seat } = this;
    seat.beginAnew(cause);
    this.#tools.counts.begunAnew[cause]++;
    this.#tools.telemetry.emit('cluster.begun-anew', {
      partition: this.#number,
      holder: seat.holder,
      cause,
    });
    this.#isAsserted = false;
    this.keeper.beginAnew();
    this.writer.beginAnew(cause === 'wiped');
    void this.keeper.renew();
  }

  /** Sources first: what they ask of the store goes before what is written again. */
  #lost(stored: number): void {
    for (const source of this.#tools.sources) source.lost?.(this.#number);
    this.writer.rewind(stored);
  }

  #asserted(): void {
    this.#isAsserted = true;
    void this.#reapFormers();
  }

  async #reapFormers(): Promise<void> {
    for (const holder of [...this.seat.formers]) {
      if (await this.#reaper.reapFormer(holder)) this.seat.forgetFormer(holder);
    }
    // What could not be removed is tried again with the next renewal.
    if (this.seat.formers.size > 0 || this.keeper.isOwnerless) return;
    // A former name owned the partition perhaps; from now on it does not.
    if (!this.keeper.owns()) await this.keeper.renew();
  }

  #renewed(renewal: Renewal): void {
    const { formers } = this.seat;
    const { nowMs, nextDeadlineMs } = renewal;
    const isOverdue = nextDeadlineMs + this.#tools.settings.renewMs < nowMs;
    if (isOverdue || this.#mayFire()) this.deadlines.note(nextDeadlineMs);
    const { generation, heads } = renewal;
    this.#tools.onHeads({ partition: this.#number, generation, heads });
    this.#reaper.reap(renewal.fenced.filter((holder) => !formers.has(holder)));
    if (this.#isAsserted && formers.size > 0) void this.#reapFormers();
    this.writer.poke();
  }

  #owned(isOwned: boolean): void {
    this.#tools.telemetry.emit(isOwned ? 'cluster.owned' : 'cluster.given', { partition: this.#number });
    this.#tools.onOwned(this.#number, isOwned);
  }

  #mayFire(): boolean {
    return this.keeper.owns() || this.keeper.isOwnerless;
  }

  #refused(problem: SpillwayError): void {
    this.#problem = problem;
    this.#tools.telemetry.emit('cluster.refused', {
      partition: this.#number,
      code: problem.code,
      err: problem,
    });
  }
}
