import type { LifecycleKind } from '../../../lib/outbox/outbox-event.ts';
import type { ChannelState, StoreIdentity } from './partition-state.ts';
import type { ChannelName, Transaction } from './transaction.ts';

/** Up to this many subscriptions every count is told. */
const untilSubscriptions = 100;
const countIntervalMs = 5_000;
/** Versions of a generation begin above everything that the one before it can have reached. */
const versionsPerGeneration = 2 ** 26;

export function identityOf(tx: Transaction): StoreIdentity {
  const { store } = tx.state;
  if (store === undefined) throw new Error('the partition has no store id yet');
  return store;
}

/** Of a script that changes what is held or told: a store that has fewer than it had has lost some. */
export function countWrite(tx: Transaction): StoreIdentity {
  const store = identityOf(tx);
  store.writes += 1;
  return store;
}

/** Of a channel that is not known: above every version of those that were forgotten, perhaps it is one of them. */
export function versionOf(store: StoreIdentity, channel: ChannelState | undefined): number {
  return Math.max(channel?.version ?? store.versionFloor, store.generation * versionsPerGeneration);
}

export function userVersionOf(store: StoreIdentity): number {
  return Math.max(store.userVersion, store.generation * versionsPerGeneration);
}

/**
 * Tells the channel occupied, before anything else is told of it. It begins an epoch with it in each generation: what was told
 * in the one before may be lost.
 */
export function tellOccupied(tx: Transaction, name: ChannelName, cause: string): void {
  const { generation } = identityOf(tx);
  const channel = tx.channelOrNew(name);
  if (channel.numbering?.generation !== generation) {
    channel.numbering = { epoch: newEpoch(tx, ''), generation, seq: 0 };
  }
  channel.occupiedSeq = tellLifecycle(tx, name, { kind: 'channel_occupied', cause });
}

/** Numbers a lifecycle event and, when the app has endpoints, appends it to the outbox. Returns its seq. */
export function tellLifecycle(
  tx: Transaction,
  name: ChannelName,
  event: { readonly kind: LifecycleKind; readonly user?: string; readonly cause: string },
): number {
  const { numbering } = tx.channelOrNew(name);
  const isReconciling = tx.nowMs < (identityOf(tx).reconcilesUntilMs ?? 0);
  const cause = event.cause === '' && isReconciling ? 'reconciled' : event.cause;
  if (numbering === undefined) throw new Error(`${name.key} was not told occupied`);
  numbering.seq += 1;
  if (tx.state.endpointApps.has(name.app)) {
    tx.append(name.app, [
      ...['k', event.kind, 'c', name.channel, 't', String(tx.nowMs)],
      ...['e', numbering.epoch, 's', String(numbering.seq)],
      ...(event.user === undefined ? [] : ['u', event.user]),
      ...(cause === '' ? [] : ['x', cause]),
    ]);
  }
  return numbering.seq;
}

/** A changed count: up to 100 subscriptions each is told; of larger channels at most one in 5 s, and the last one always. */
export function countChanged(tx: Transaction, name: ChannelName, subscriptions: number): void {
  const channel = tx.channelOrNew(name);
  const againMs = (channel.countToldMs ?? -Infinity) + countIntervalMs;
  if (subscriptions <= untilSubscriptions) {
    if (channel.countWaiting !== undefined) tx.state.deadlines.delete(`w:${name.key}`);
    channel.countWaiting = undefined;
    appendCount(tx, name, subscriptions);
  } else if (tx.nowMs < againMs) {
    channel.countWaiting = subscriptions;
    tx.state.deadlines.set(`w:${name.key}`, againMs);
  } else {
    tellLargeCount(tx, name, subscriptions);
  }
}

/** The next one may be told in 5 s. */
export function tellLargeCount(tx: Transaction, name: ChannelName, subscriptions: number): void {
  const channel = tx.channelOrNew(name);
  channel.countToldMs = tx.nowMs;
  channel.countWaiting = undefined;
  appendCount(tx, name, subscriptions);
}

function appendCount(tx: Transaction, name: ChannelName, subscriptions: number): void {
  if (!tx.state.endpointApps.has(name.app)) return;
  const json = JSON.stringify({ id: newEpoch(tx, 'x'), subscriptionCount: subscriptions });
  tx.append(name.app, ['k', 'subscription_count', 'c', name.channel, 't', String(tx.nowMs), 'j', json]);
}

function newEpoch(tx: Transaction, mark: string): string {
  const store = identityOf(tx);
  store.epochs = Math.max(store.epochs + 1, tx.nowMs);
  return `${store.epochName}.${store.generation}-${mark}${store.epochs}`;
}
