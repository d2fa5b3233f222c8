import type { Reply } from '../../../lib/redis/store-link.ts';
import type { Arguments } from './arguments.ts';
import { admit } from './leases.ts';
import { forgetMember, tellAnew, vacate } from './presence.ts';
import { countWrite, identityOf, tellLargeCount } from './telling.ts';
import { channelName, type Transaction } from './transaction.ts';

/** Tells what is due. The deadline is only the occasion: the state decides whether there is something to tell. */
export function fire(tx: Transaction, args: Arguments): Reply {
  const refusal = admit(tx, args.text(), args.text());
  if (refusal !== undefined) return refusal;
  const max = Math.min(args.whole(), 256);
  const retainMs = args.whole();
  const isAll = args.flag();
  const due = [...tx.state.deadlines]
    .filter(([, atMs]) => isAll || atMs <= tx.nowMs)
    .sort(([a, aMs], [b, bMs]) => aMs - bMs || (a < b ? -1 : 1))
    .slice(0, max);
  if (due.length > 0) countWrite(tx);
  // One that an earlier one of them has settled is still taken: the state decides.
  for (const [deadline] of due) fireOne(tx, deadline, retainMs);
  tx.wakeOwner();
  return ['OK', due.length, tx.nextDeadlineMs(), identityOf(tx).writes];
}

function fireOne(tx: Transaction, deadline: string, retainMs: number): void {
  tx.state.deadlines.delete(deadline);
  const [kind, app = '', channelPart = '', ...userParts] = deadline.split(':');
  const name = channelName(app, channelPart);
  const user = userParts.join(':');
  tellAnew(tx, name);
  const channel = tx.channel(name);
  const member = channel?.users.get(user);
  if (kind === 'm' && member?.holders === 0) forgetMember(tx, name, user, member.cause);
  if (kind === 'v' && channel?.occupiedSeq !== undefined && channel.holders.size === 0) {
    vacate(tx, name, { cause: channel.cause ?? '', retainMs });
  }
  if (kind === 'w' && channel?.countWaiting !== undefined) tellLargeCount(tx, name, channel.countWaiting);
}
