import { SpillwayError } from '../errors/spillway-error.ts';
import { readRenewal, type Renewal } from './renewal.ts';
import { nodeOf, ownerOf } from './rendezvous.ts';
import { type Answer, numberOf, type ScriptCalls, textOf } from './script-calls.ts';
import type { AnewCause, Seat } from './seat.ts';
import type { StoreTime } from './store-time.ts';

export interface KeeperOptions {
  readonly seat: Seat;
  readonly calls: ScriptCalls;
  readonly time: StoreTime;
  readonly settings: { readonly leaseMs: number; readonly partitions: number };
  readonly newStoreId: () => string;
  /** Whether the partition may go to another node now: nothing of it is under way here. */
  readonly mayGive: () => boolean;
  readonly onOwned: (isOwned: boolean) => void;
  /** Behind every renewal; `onOwned` came before. */
  readonly onRenewed: (renewal: Renewal) => void;
  /** The store has the batches up to this one and no more. */
  readonly onLost: (stored: number) => void;
  readonly onUseless: (cause: AnewCause) => void;
  /** The store is divided otherwise. */
  readonly onRefused: (problem: SpillwayError) => void;
}

/** Answers that call for another renewal, in one go. */
const mostInARow = 5;
/** Behind the moment when a lease of another runs out. */
const expiryDelayMs = 20;

/**
 * This node's lease of one partition, and whether it owns it. Every lease counts from when its renewal was sent, so it
 * ends here before others may act on it.
 */
export class PartitionKeeper {
  readonly #options: KeeperOptions;
  readonly #seat: Seat;
  #renewing: Promise<boolean> | undefined;
  #isWanted = false;
  #isLeaving = false;
  #isStopped = false;
  #isOwner = false;
  /** What `onOwned` said last. */
  #isToldOwner = false;
  #owner = '';
  #liveNodes: ReadonlySet<string>;
  #lapse: NodeJS.Timeout | undefined;
  #foreignExpiry: NodeJS.Timeout | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#seat = options.seat;
    this.#liveNodes = new Set([options.seat.nodeId]);
  }

  get isRenewing(): boolean {
    return this.#renewing !== undefined;
  }

  get liveNodes(): number {
    return this.#liveNodes.size;
  }

  /** Whether no node owned it when the store was last heard. */
  get isOwnerless(): boolean {
    return this.#owner === '';
  }

  owns(forMs = 0): boolean {
    return this.#isOwner && this.#seat.hasLease(forMs);
  }

  /** Renews now, or once more when a renewal is under way. Whether the last one worked. */
  renew(): Promise<boolean> {
    if (this.#isStopped) return Promise.resolve(false);
    this.#isWanted = true;
    this.#renewing ??= this.#renewWhileWanted();
    return this.#renewing;
  }

  /** The partition has no owner: a renewal says who is alive, and whoever is next takes it. */
  async ownerGone(): Promise<void> {
    if (this.#isOwner || this.#isLeaving) return;
    this.#owner = '';
    await this.renew();
  }

  /** From now on it owns nothing and wants nothing. */
  leave(): void {
    this.#isLeaving = true;
    clearTimeout(this.#foreignExpiry);
    this.#stopOwning();
  }

  /** Under a new name it owns nothing yet. */
  beginAnew(): void {
    this.#stopOwning();
  }

  /** What is not sent yet is not sent any more: behind the end of a lease it would make another. */
  stop(): void {
    this.#isStopped = true;
    this.#isWanted = false;
    clearTimeout(this.#lapse);
    clearTimeout(this.#foreignExpiry);
  }

  async #renewWhileWanted(): Promise<boolean> {
    let isRenewed = false;
    for (let turn = 0; turn < mostInARow && this.#isWanted && !this.#isStopped; turn++) {
      this.#isWanted = false;
      isRenewed = await this.#renewOnce();
    }
    // In the same step in which nobody wanted another: whoever comes later begins anew.
    this.#renewing = undefined;
    return isRenewed;
  }

  async #renewOnce(): Promise<boolean> {
    const { calls, settings, newStoreId } = this.#options;
    const { holder, storeId, acked, generation, writes, incarnation } = this.#seat;
    const isNext = this.#isNext();
    const gives = this.#gives(isNext);
    if (gives) this.#stopOwning();
    const sentAtMs = performance.now();
    const what = [holder, storeId, acked, settings.leaseMs, settings.partitions, newStoreId(), generation];
    const answer = await calls.run('renew', [...what, isNext ? 1 : 0, gives ? 1 : 0, writes]);
    if (this.#seat.incarnation === incarnation) return this.#heard(answer, sentAtMs);
    this.#isWanted = true;
    return false;
  }

  #heard({ word, rest }: Answer, sentAtMs: number): boolean {
    const { settings, onLost, onUseless, onRefused } = this.#options;
    if (word === 'OK') {
      this.#seat.renewed(sentAtMs, settings.leaseMs);
      this.#renewed(readRenewal(rest));
    } else if (word === 'GAP') {
      this.#seat.renewed(sentAtMs, settings.leaseMs);
      this.#isWanted = true;
      onLost(numberOf(rest[0]));
    } else if (word === 'FENCED' || word === 'EPOCH') {
      this.#isWanted = true;
      onUseless(word === 'FENCED' ? 'fenced' : 'wiped');
    } else if (word === 'PARTITIONS') {
      const details = { stored: textOf(rest[0]), configured: settings.partitions };
      onRefused(new SpillwayError('cluster.partitions', details));
    }
    return word === 'OK';
  }

  #renewed(renewal: Renewal): void {
    const seat = this.#seat;
    seat.seated(renewal);
    this.#owner = renewal.owner;
    this.#liveNodes = new Set([seat.nodeId, ...renewal.live.map(nodeOf)]);
    this.#options.time.heard(renewal.nowMs);
    this.#isOwner = renewal.owner === seat.holder && !this.#isLeaving;
    this.#tellOwned();
    // Who is alive is news: the partition changes hands at once.
    if (this.#gives(this.#isNext()) || (this.isOwnerless && this.#isNext())) this.#isWanted = true;
    this.#watchExpiry(renewal.nextExpiryMs);
    this.#options.onRenewed(renewal);
  }

  /** The dead are found when their lease has run out, not with the next renewal. */
  #watchExpiry(atMs: number): void {
    clearTimeout(this.#foreignExpiry);
    if (atMs === 0 || this.#isLeaving) return;
    const waitMs = this.#options.time.until(atMs) + expiryDelayMs;
    this.#foreignExpiry = setTimeout(() => void this.renew(), waitMs).unref();
  }

  #isNext(): boolean {
    return !this.#isLeaving && ownerOf(this.#seat.partition, this.#liveNodes) === this.#seat.nodeId;
  }

  #gives(isNext: boolean): boolean {
    return this.#isOwner && !isNext && this.#options.mayGive();
  }

  #stopOwning(): void {
    this.#isOwner = false;
    this.#tellOwned();
  }

  #tellOwned(): void {
    clearTimeout(this.#lapse);
    const isOwned = this.owns();
    if (isOwned) {
      const lastsMs = Math.ceil(this.#seat.leaseUntilMs - performance.now());
      this.#lapse = setTimeout(() => this.#tellOwned(), lastsMs).unref();
    }
    if (isOwned === this.#isToldOwner) return;
    this.#isToldOwner = isOwned;
    this.#options.onOwned(isOwned);
  }
}
