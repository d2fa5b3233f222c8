import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ClusterCounts } from './cluster-counts.ts';
import type { Journal } from './journal.ts';
import type { Lull } from './lull.ts';
import {
  type Batch,
  mostChanges,
  type PartitionSources,
  toReplay,
  usualChanges,
} from './partition-sources.ts';
import { type Answer, numberOf, type ScriptCalls, textOf } from './script-calls.ts';
import type { AnewCause, Seat } from './seat.ts';
import type { SendGate } from './send-gate.ts';

export interface WriterOptions {
  readonly seat: Seat;
  readonly sources: PartitionSources;
  readonly calls: ScriptCalls;
  readonly gate: SendGate;
  /** Of all partitions of the node. */
  readonly lull: Lull;
  readonly journal: Journal;
  readonly counts: ClusterCounts;
  readonly telemetry: Telemetry;
  readonly settings: { readonly graceMs: number; readonly retainMs: number };
  /** Renews the lease now. Whether that worked. */
  readonly renew: () => Promise<boolean>;
  /** The name is of no use any more, or what was written under it is lost: the partition is to begin anew. */
  readonly onUseless: (cause: AnewCause) => void;
  /** Everything that was to be told under a new name has been. */
  readonly onAsserted: () => void;
  /** When the partition's next deadline lies; 0: there is none. */
  readonly onDeadline: (atMs: number) => void;
}

/** Leaves wait for more so long after the last batch: a mass of them makes few batches, one alone does not wait. */
const lingerMs = 100;
/** Before a batch without an answer is sent again, while the link is up. */
const awayPauseMs = 100;
const failedPauseMs = 1000;

/**
 * The ordered writer of one partition: takes what sources have when it may send, and not before; one batch at a time,
 * numbered, and sent again with its number until the store says that it has it.
 */
export class PartitionWriter {
  readonly #options: WriterOptions;
  readonly #seat: Seat;
  readonly #partition: number;
  /** What goes before anything new, in order. The first is the one under way. */
  #queue: Batch[] = [];
  #isSuspended = true;
  /** A batch is under way, waits for its turn, or for a pause to end. */
  #isBusy = false;
  #isFlushing = false;
  #linger: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #onIdle: (() => void)[] = [];

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#seat = options.seat;
    this.#partition = options.seat.partition;
  }

  /** There may be something to send: a source has changes, or the lease is there. */
  poke(): void {
    this.#options.lull.arrived();
    // What comes in the same turn of the event loop goes together.
    this.#consider(() => setImmediate(() => this.#begin()));
  }

  #consider(begin: () => void): void {
    if (this.#isBusy || this.#isSuspended || !this.#seat.isSeated) return;
    if (this.#queue.length > 0) {
      this.#go(begin);
      return;
    }
    const { sources } = this.#options;
    const { changes, isUrgent } = sources.waiting();
    if (changes === 0) this.#rest();
    else if (changes >= mostChanges || this.#isFlushing || sources.isAsserting) this.#go(begin);
    else if (isUrgent) this.#go(changes < usualChanges ? () => this.#beginInLull() : begin);
    else this.#linger ??= setTimeout(() => this.#go(() => this.#begin()), this.#lingerMs());
  }

  /** The store cannot be reached: nothing is sent until `resume`. The batch under way stays. */
  suspend(): void {
    this.#isSuspended = true;
    this.#stopTimers();
    this.#tellIdle();
  }

  resume(): void {
    this.#isSuspended = false;
    this.poke();
  }

  /** Sends what waits, without lingering. Fulfilled when nothing waits, or nothing can be sent. */
  flush(): Promise<void> {
    if (this.#isSuspended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#isFlushing = true;
      this.#stopLinger();
      this.#consider(() => this.#begin());
    });
  }

  /** The store has the batches up to this one and no more: what followed is written once more, from the journal. */
  rewind(stored: number): void {
    const { journal, telemetry, counts, onUseless } = this.#options;
    const { acked } = this.#seat;
    if (stored >= acked) return;
    telemetry.emit('cluster.gap', { partition: this.#partition, batches: acked - stored });
    const lost = journal.between(this.#partition, stored + 1, acked);
    if (lost === undefined) {
      onUseless('lost');
      return;
    }
    counts.replays += lost.length;
    this.#queue.unshift(...lost.map(toReplay));
    this.#seat.acked = stored;
    journal.forgetAbove(this.#partition, stored);
    this.poke();
  }

  /**
   * Under a new name: what was not answered comes first, then everything that the sources hold, then what is new. The store
   * may have applied what was not answered under the old name: it asserts, so twice is once.
   */
  beginAnew(isWiped: boolean): void {
    this.#options.journal.forgetAbove(this.#partition, 0);
    this.#queue = this.#queue.filter(({ asked }) => asked.length > 0);
    for (const batch of this.#queue) Object.assign(batch, { cause: 'reconciled', endsAssertion: false });
    this.#options.sources.assertAll(isWiped);
    this.#stopLinger();
  }

  #go(begin: () => void): void {
    this.#stopLinger();
    this.#isBusy = true;
    begin();
  }

  /** In a crowd what comes a little later goes together as well. */
  #beginInLull(): void {
    this.#options.lull.wait(() => this.#begin());
  }

  #begin(): void {
    void this.#options.gate
      .run(() => this.#send())
      .then((pauseMs) => {
        if (pauseMs === undefined) return;
        if (pauseMs === 0 || this.#isSuspended) this.#next();
        else this.#pause = setTimeout(() => this.#next(), pauseMs);
      });
  }

  #next(): void {
    this.#pause = undefined;
    this.#isBusy = false;
    this.#consider(() => this.#begin());
  }

  /** How long to wait before the next one; undefined: until a source speaks up. */
  async #send(): Promise<number | undefined> {
    if (this.#isSuspended || !this.#seat.isSeated) return 0;
    const batch = this.#queue[0] ?? this.#take();
    if (batch === undefined) {
      this.#isBusy = false;
      this.#tellIdle();
      return undefined;
    }
    const { incarnation, acked } = this.#seat;
    const answer = await this.#apply(batch, acked + 1);
    this.#sentAtMs = performance.now();
    const isAnew = this.#seat.incarnation !== incarnation;
    const isLate = isAnew || this.#seat.acked !== acked;
    if (answer.word === 'OK' || answer.word === 'DUP') {
      this.#answer(batch, answer);
      if (!isLate) this.#acknowledge(batch);
      // Applied under the old name, and everything is told again under the new one.
      else if (isAnew) this.#queue = this.#queue.filter((other) => other !== batch);
      return 0;
    }
    return isLate ? 0 : this.#refused(answer);
  }

  async #refused({ word, rest }: Answer): Promise<number> {
    const { renew, onUseless, telemetry } = this.#options;
    if (word === 'AWAY') return awayPauseMs;
    // Of another store a renewal is told as well, and with it that store learns of which generation this one was.
    if (word === 'EXPIRED' || word === 'EPOCH') return (await renew()) ? 0 : awayPauseMs;
    if (word === 'GAP') return this.#lost(numberOf(rest[0]));
    if (word === 'FENCED') {
      onUseless('fenced');
      return 0;
    }
    if (word !== 'FAILED') {
      const err = new Error(`apply answered ${word}`);
      telemetry.emit('cluster.script-failed', { script: 'apply', partition: this.#partition, err });
    }
    return failedPauseMs;
  }

  /** The store expects another number. A renewal first: with it the store notes that its generation has ended. */
  async #lost(stored: number): Promise<number> {
    const { incarnation, acked } = this.#seat;
    if (stored > acked) {
      this.#skipTo(stored);
      return 0;
    }
    if (!(await this.#options.renew())) return awayPauseMs;
    if (this.#seat.incarnation === incarnation && this.#seat.acked === acked) this.rewind(stored);
    return 0;
  }

  /** The store has batches that it was asked for before: the last of these has its answer saved. */
  #skipTo(stored: number): void {
    const ahead = stored - this.#seat.acked - 1;
    if (ahead >= this.#queue.length) {
      this.#options.onUseless('lost');
      return;
    }
    for (const batch of this.#queue.slice(0, ahead)) this.#acknowledge(batch);
  }

  #apply(batch: Batch, number: number): Promise<Answer> {
    const { holder, storeId } = this.#seat;
    const { graceMs, retainMs } = this.#options.settings;
    const head = [holder, storeId, number, graceMs, retainMs, batch.cause, batch.groups];
    return this.#options.calls.run('apply', [...head, ...batch.args]);
  }

  #answer(batch: Batch, { rest }: Answer): void {
    const [nextDeadlineMs, ...replies] = rest;
    const isWhole = this.#seat.wrote(numberOf(rest.at(-1)));
    if (!isWhole) void this.#options.renew();
    this.#options.onDeadline(numberOf(nextDeadlineMs));
    const { asked } = batch;
    batch.asked = [];
    for (const [i, group] of asked.entries()) group.answered(textOf(replies[i]));
    // Said again, it says what was decided.
    if (asked.length > 0) batch.args = asked.flatMap(({ args }) => args);
  }

  #acknowledge(batch: Batch): void {
    const { counts, journal, onAsserted } = this.#options;
    const number = ++this.#seat.acked;
    this.#queue.shift();
    journal.add(this.#partition, { number, args: batch.args, groups: batch.groups });
    if (!batch.isReplay) {
      counts.batches++;
      counts.changes += batch.changes;
    }
    if (batch.endsAssertion) onAsserted();
  }

  #take(): Batch | undefined {
    const batch = this.#options.sources.take();
    if (batch !== undefined) this.#queue.push(batch);
    return batch;
  }

  /** Nothing waits. */
  #rest(): void {
    if (this.#options.sources.endAssertion()) this.#options.onAsserted();
    this.#tellIdle();
  }

  #tellIdle(): void {
    this.#isFlushing = false;
    for (const tell of this.#onIdle.splice(0)) tell();
  }

  #lingerMs(): number {
    return Math.max(0, this.#sentAtMs + lingerMs - performance.now());
  }

  #stopLinger(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
  }

  #stopTimers(): void {
    this.#stopLinger();
    if (this.#pause === undefined) return;
    clearTimeout(this.#pause);
    this.#next();
  }
}
