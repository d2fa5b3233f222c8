import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { emptyHolder, type HolderState, type PartitionState, type StoreIdentity } from './partition-state.ts';
import { identityOf } from './telling.ts';
import type { Transaction } from './transaction.ts';

/** Why the holder may not change anything now; undefined: it may. */
export function admit(tx: Transaction, holder: string, storeId: string): Reply | undefined {
  const { store, holders } = tx.state;
  if ((store?.id ?? '') !== storeId) return ['EPOCH', store?.id ?? ''];
  const leaseMs = holders.get(holder)?.leaseMs ?? 0;
  if (leaseMs === 0) return ['FENCED'];
  return leaseMs < tx.nowMs ? ['EXPIRED'] : undefined;
}

interface Renewal {
  readonly holder: string;
  /** '' while the node does not know it. */
  readonly storeId: string;
  /** Number of the last batch that was answered. */
  readonly lastAcked: number;
  readonly leaseMs: number;
  readonly partitions: number;
  /** What the store is called if it has no name. */
  readonly newStoreId: string;
  readonly knownGeneration: number;
  readonly wantsOwner: boolean;
  readonly givesOwner: boolean;
  /** The most that the store has said it had. */
  readonly knownWrites: number;
}

/** Prolongs a lease, and tells the node what it has to know; fences whoever did not renew in time. */
export function renew(tx: Transaction, args: Arguments): Reply {
  const renewal = readRenewal(args);
  const { state } = tx;
  state.store ??= begin(tx, renewal);
  const { store } = state;
  if (store.partitions !== renewal.partitions) return ['PARTITIONS', String(store.partitions)];
  if (renewal.storeId !== '' && renewal.storeId !== store.id) {
    beginGeneration(tx, renewal);
    return ['EPOCH', store.id];
  }
  const lease = state.holders.get(renewal.holder)?.leaseMs;
  if (lease === 0 || (lease === undefined && renewal.lastAcked > 0)) return ['FENCED'];

  shortenLeases(tx, renewal);
  const isAmnesty = prolong(tx, renewal);
  const stored = state.holders.get(renewal.holder)?.batch ?? 0;
  const hasLostBatches = stored < renewal.lastAcked;
  // What is told now must not look like what was told in the tail that is lost.
  if (store.writes < renewal.knownWrites) replaceLostWrites(tx, renewal);
  else if (hasLostBatches || store.generation < renewal.knownGeneration) beginGeneration(tx, renewal);
  if (hasLostBatches) return ['GAP', stored];
  if (!isAmnesty) fenceExpired(tx);
  decideOwner(tx, renewal);
  return renewed(tx, renewal.holder);
}

/** An empty store whose holder knows of another was wiped: what it makes must not look like what the other one had made. */
function begin({ nowMs }: Transaction, renewal: Renewal): StoreIdentity {
  const { newStoreId, storeId, knownGeneration, leaseMs, partitions } = renewal;
  const isWiped = storeId !== '' || knownGeneration > 0;
  return {
    id: newStoreId,
    generation: isWiped ? knownGeneration + 1 : 0,
    epochName: newStoreId,
    writes: 0,
    partitions,
    owner: undefined,
    epochs: 0,
    reconcilesUntilMs: isWiped ? nowMs + leaseMs : undefined,
    versionFloor: 0,
    userVersion: 0,
  };
}

/** Once for all nodes that know the same. */
function beginGeneration(tx: Transaction, renewal: Renewal): void {
  if (identityOf(tx).generation > renewal.knownGeneration) return;
  setGeneration(tx, renewal, renewal.knownGeneration + 1);
}

/** The node has perhaps not heard of the generation in which they were lost. Others who know of as many miss none. */
function replaceLostWrites(tx: Transaction, renewal: Renewal): void {
  const store = identityOf(tx);
  store.writes = renewal.knownWrites;
  setGeneration(tx, renewal, Math.max(store.generation, renewal.knownGeneration) + 1);
}

/** Whoever has not told what it holds when the time is over has no lease any more. */
function setGeneration(tx: Transaction, { newStoreId, leaseMs }: Renewal, generation: number): void {
  const reconcilesUntilMs = tx.nowMs + leaseMs;
  Object.assign(identityOf(tx), { generation, epochName: newStoreId, reconcilesUntilMs });
}

/** No lease is longer than they are now, unless the clock was set back. */
function shortenLeases(tx: Transaction, { leaseMs }: Renewal): void {
  const longestMs = tx.nowMs + leaseMs;
  for (const [, holder] of leased(tx.state)) holder.leaseMs = Math.min(holder.leaseMs, longestMs);
}

/**
 * Amnesty: when nobody has renewed for more than five eighths of a lease, the store was away, and nobody is to blame: everyone
 * gets a new one. A node that is alive renews after half of it or sooner.
 */
function prolong(tx: Transaction, { holder, leaseMs }: Renewal): boolean {
  const { holders } = tx.state;
  const leases = leased(tx.state);
  const hasOthers = leases.some(([other, { leaseMs: endsMs }]) => other !== holder && endsMs > 0);
  const isAmnesty =
    hasOthers && leases.every(([, { leaseMs: endsMs }]) => endsMs < tx.nowMs + (leaseMs * 3) / 8);
  if (isAmnesty) for (const [, one] of leases) if (one.leaseMs > 0) one.leaseMs = tx.nowMs + leaseMs;
  const own = holders.get(holder) ?? emptyHolder();
  holders.set(holder, own);
  own.leaseMs = tx.nowMs + leaseMs;
  return isAmnesty;
}

function fenceExpired(tx: Transaction): void {
  for (const [, holder] of leased(tx.state)) {
    if (holder.leaseMs === 0 || holder.leaseMs >= tx.nowMs) continue;
    holder.lost = { atMs: holder.leaseMs, cause: 'node_lost' };
    holder.leaseMs = 0;
  }
}

function decideOwner(tx: Transaction, { holder, wantsOwner, givesOwner }: Renewal): void {
  const store = identityOf(tx);
  const ownerLeaseMs = tx.state.holders.get(store.owner ?? '')?.leaseMs ?? 0;
  if (store.owner === holder) {
    if (givesOwner) disown(tx);
  } else if (ownerLeaseMs < tx.nowMs) {
    if (wantsOwner) store.owner = holder;
    else if (store.owner !== undefined) disown(tx);
  }
}

/** Nobody owns the partition; whoever should is told. */
function disown(tx: Transaction): void {
  identityOf(tx).owner = undefined;
  tx.publish('sys', 'o');
}

function renewed(tx: Transaction, holder: string): Reply {
  const store = identityOf(tx);
  const leases = leased(tx.state);
  const fenced = leases.filter(([, { leaseMs }]) => leaseMs === 0).map(([name]) => name);
  const live = leases.filter(([, { leaseMs }]) => leaseMs > 0).map(([name]) => name);
  const others = leases.filter(([name, { leaseMs }]) => name !== holder && leaseMs > 0);
  const heads = store.owner === holder ? [...tx.state.outbox] : [];
  return [
    'OK',
    tx.nowMs,
    store.id,
    store.generation,
    store.writes,
    tx.nextDeadlineMs(),
    store.owner ?? '',
    others[0]?.[1].leaseMs ?? 0,
    ...[live.length, ...live],
    ...[fenced.length, ...fenced],
    ...[heads.length, ...heads.flatMap(([app, { head }]) => [app, String(head)])],
  ];
}

type Leased = PartitionState['holders'] extends Map<string, infer H> ? H & { leaseMs: number } : never;

/** The holders with a lease, fenced ones too, by the end of it. */
function leased(state: PartitionState): [string, Leased][] {
  const all = [...state.holders].filter((entry): entry is [string, Leased] => entry[1].leaseMs !== undefined);
  return all.sort(([a, { leaseMs: aMs }], [b, { leaseMs: bMs }]) => aMs - bMs || (a < b ? -1 : 1));
}

/** Gives a lease back. Whoever still holds something does not get away so. */
export function retire(tx: Transaction, args: Arguments): Reply {
  const holder = args.text();
  const storeId = args.text();
  const { store } = tx.state;
  if ((store?.id ?? '') !== storeId) return ['EPOCH', store?.id ?? ''];
  const entries = entriesOf(tx.state.holders.get(holder) ?? emptyHolder());
  if (entries > 0) return ['HELD', entries];
  forgetHolder(tx, holder);
  if (store?.owner === holder) disown(tx);
  return ['OK'];
}

/** How much a holder has in the partition. */
export function entriesOf({ channels, members, signIns }: HolderState): number {
  return channels.size + members.size + signIns.size;
}

/** Its lease, its batches, its mark; and its shares of connections. */
export function forgetHolder(tx: Transaction, holder: string): void {
  for (const app of tx.state.holders.get(holder)?.quotaApps ?? []) tx.state.quota.get(app)?.delete(holder);
  tx.state.holders.delete(holder);
}

function readRenewal(args: Arguments): Renewal {
  return {
    holder: args.text(),
    storeId: args.text(),
    lastAcked: args.whole(),
    leaseMs: args.whole(),
    partitions: args.whole(),
    newStoreId: args.text(),
    knownGeneration: args.whole(),
    wantsOwner: args.flag(),
    givesOwner: args.flag(),
    knownWrites: args.whole(),
  };
}
