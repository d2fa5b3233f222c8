import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { channelName, type Transaction } from './transaction.ts';

/** Keeps the last event of a channel. `isOnlyNewer`: one stays that was remembered later; each is kept for the same time. */
export function remember(tx: Transaction, args: Arguments): Reply {
  const { key } = channelName(args.text(), args.text());
  const text = args.text();
  const expiresAtMs = tx.nowMs + args.whole();
  const isOnlyNewer = args.flag();
  const isNewest = (tx.state.cached.get(key)?.expiresAtMs ?? 0) <= expiresAtMs;
  if (!isOnlyNewer || isNewest) tx.state.cached.set(key, { text, expiresAtMs });
  return ['OK'];
}

export function recall(tx: Transaction, args: Arguments): Reply {
  const cached = tx.state.cached.get(channelName(args.text(), args.text()).key);
  if (cached === undefined || cached.expiresAtMs <= tx.nowMs) return ['NONE'];
  return ['OK', cached.text, cached.expiresAtMs - tx.nowMs];
}
