import type { Reply } from '../../../lib/redis/store-link.ts';
import { Announcing } from './announcing.ts';
import type { Arguments } from './arguments.ts';
import { inOrder } from './in-order.ts';
import { admit, entriesOf, forgetHolder } from './leases.ts';
import { emptyHolder, type HolderState } from './partition-state.ts';
import { channelDown, tellAnew, userDown, type Writer } from './presence.ts';
import { signedOut } from './sign-ins.ts';
import { countWrite } from './telling.ts';
import { channelName, type ChannelName, type Transaction } from './transaction.ts';

/**
 * Removes up to `max` of what a fenced holder has: its members, then its channels, then its sign-ins, each as if it had gone
 * when the lease ran out. Any number of reapers may call it: an entry is there once.
 */
export function reap(tx: Transaction, args: Arguments): Reply {
  const me = args.text();
  const holder = args.text();
  const refusal = admit(tx, me, args.text());
  if (refusal !== undefined) return refusal;
  const max = args.whole();
  const graceMs = args.whole();
  const retainMs = args.whole();
  const isForced = args.flag();
  const forcedCause = args.text();

  const held = tx.state.holders.get(holder) ?? emptyHolder();
  if (held.leaseMs === undefined && entriesOf(held) === 0) return ['GONE'];
  if (held.leaseMs !== 0) {
    if (!isForced) return ['LIVE'];
    fence(tx, held, forcedCause);
  }
  const { writes } = countWrite(tx);
  const { atMs, cause } = held.lost ?? { atMs: tx.nowMs, cause: 'node_lost' };
  const graceEndsMs = graceMs === 0 ? undefined : atMs + graceMs;
  const taken = new Reaping(tx, { holder, held, cause, graceEndsMs, retainMs }).take(max);
  tx.wakeOwner();
  const left = entriesOf(held);
  if (left === 0) forgetHolder(tx, holder);
  return ['OK', left, taken, tx.nextDeadlineMs(), writes];
}

function fence(tx: Transaction, held: HolderState, cause: string): void {
  held.leaseMs = 0;
  held.lost = { atMs: tx.nowMs, cause };
}

class Reaping {
  readonly #tx: Transaction;
  readonly #writer: Writer;
  readonly #announcing = new Map<ChannelName['key'], Announcing>();

  constructor(tx: Transaction, writer: Writer) {
    this.#tx = tx;
    this.#writer = writer;
  }

  /** Answers how many entries it took. */
  take(max: number): number {
    const { members, channels, signIns } = this.#writer.held;
    const goneMembers = inOrder(members).slice(0, max);
    for (const entry of goneMembers) this.#takeMember(entry);
    const goneChannels = inOrder(channels).slice(0, max - goneMembers.length);
    for (const entry of goneChannels) this.#takeChannel(entry);
    const goneSignIns = inOrder(signIns).slice(0, max - goneMembers.length - goneChannels.length);
    for (const entry of goneSignIns) this.#takeSignIn(entry);
    for (const announcing of this.#announcing.values()) announcing.finish();
    return goneMembers.length + goneChannels.length + goneSignIns.length;
  }

  #takeMember(entry: string): void {
    const [app = '', channel = '', ...user] = entry.split(':');
    const name = channelName(app, channel);
    const id = user.join(':');
    this.#announcingOf(name).saw(id, userDown(this.#tx, name, this.#writer, id));
  }

  #takeChannel(entry: string): void {
    const [app = '', channel = ''] = entry.split(':');
    const name = channelName(app, channel);
    this.#announcingOf(name);
    channelDown(this.#tx, name, this.#writer);
  }

  #takeSignIn(entry: string): void {
    const [app = '', ...user] = entry.split(':');
    this.#writer.held.signIns.delete(entry);
    signedOut(this.#tx, { app, user: user.join(':'), isAnnounced: true });
  }

  #announcingOf(name: ChannelName): Announcing {
    const known = this.#announcing.get(name.key);
    if (known !== undefined) return known;
    tellAnew(this.#tx, name);
    const announcing = new Announcing(this.#tx, name);
    this.#announcing.set(name.key, announcing);
    return announcing;
  }
}
