import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { emptyHolder } from './partition-state.ts';
import type { Transaction } from './transaction.ts';

/** While holders have shares that others want, they are asked for them at most this often. */
const askIntervalMs = 1_000;

/** A holder's share of an app's connections: what it uses, and what it wants as far as the others leave it. */
export function quota(tx: Transaction, args: Arguments): Reply {
  const holder = args.text();
  const app = args.text();
  const used = args.whole();
  const want = args.whole();
  const limit = args.whole();
  if (used === 0 && want === 0) {
    setShare(tx, app, holder, 0);
    return ['OK', 0, 0];
  }
  if ((tx.state.holders.get(holder)?.leaseMs ?? 0) === 0) return ['FENCED'];
  const others = sharesOfOthers(tx, app, holder);
  const share = Math.max(used, Math.min(want, limit - others));
  setShare(tx, app, holder, share);
  if (share === used && want > used && others > 0) askForShares(tx, app);
  return ['OK', share, others];
}

/** Who is gone for good leaves nothing, and who is fenced does not count. */
function sharesOfOthers(tx: Transaction, app: string, holder: string): number {
  let sum = 0;
  for (const [other, share] of tx.state.quota.get(app) ?? []) {
    const leaseMs = tx.state.holders.get(other)?.leaseMs;
    if (leaseMs === undefined) tx.state.quota.get(app)?.delete(other);
    else if (other !== holder && leaseMs > 0) sum += share;
  }
  return sum;
}

function setShare(tx: Transaction, app: string, holder: string, share: number): void {
  const { holders, quota: apps } = tx.state;
  const shares = apps.get(app) ?? new Map<string, number>();
  apps.set(app, shares);
  if (share === 0) {
    shares.delete(holder);
    holders.get(holder)?.quotaApps.delete(app);
  } else {
    const held = holders.get(holder) ?? emptyHolder();
    holders.set(holder, held);
    shares.set(holder, share);
    held.quotaApps.add(app);
  }
}

function askForShares(tx: Transaction, app: string): void {
  if (tx.nowMs < (tx.state.quotaAsked.get(app) ?? 0)) return;
  tx.state.quotaAsked.set(app, tx.nowMs + askIntervalMs);
  tx.publish('sys', `q${app}`);
}
