import type { ChannelState, HolderState, MemberState } from './partition-state.ts';
import { identityOf, tellLifecycle, tellOccupied } from './telling.ts';
import type { ChannelName, Transaction } from './transaction.ts';

/** Whose change it is, and how leaves are told. */
export interface Writer {
  readonly holder: string;
  /** Its entries. */
  readonly held: HolderState;
  /** Of events told now, and of those that leaves of now make due. '' is none. */
  readonly cause: string;
  /** When what leaves now is told; undefined: at once. */
  readonly graceEndsMs: number | undefined;
  readonly retainMs: number;
}

/**
 * Comes before every change of a channel: what was told of it in an earlier generation is told anew, in a new epoch. Those in
 * grace are, too: their removal follows.
 */
export function tellAnew(tx: Transaction, name: ChannelName): void {
  const channel = tx.channel(name);
  if (channel?.occupiedSeq === undefined) return;
  if (channel.numbering?.generation === identityOf(tx).generation) return;
  tellOccupied(tx, name, 'reconciled');
  for (const [user, member] of toldMembers(channel)) {
    member.seq = tellLifecycle(tx, name, { kind: 'member_added', user, cause: 'reconciled' });
  }
}

/** The holder, without subscriptions until now, has some. */
export function channelUp(tx: Transaction, name: ChannelName, writer: Writer, subscriptions: number): void {
  const channel = tx.channelOrNew(name);
  const wasEmpty = channel.holders.size === 0;
  writer.held.channels.add(name.key);
  channel.holders.set(writer.holder, subscriptions);
  if (!wasEmpty) return;
  channel.expiresAtMs = undefined;
  channel.version ??= tx.state.store?.versionFloor ?? 0;
  if (channel.occupiedSeq === undefined) {
    indexOf(tx, name.app).add(name.channel);
    tellOccupied(tx, name, writer.cause);
  } else {
    tx.state.deadlines.delete(`v:${name.key}`);
    channel.cause = undefined;
  }
}

/** The holder has no subscriptions any more. */
export function channelDown(tx: Transaction, name: ChannelName, writer: Writer): void {
  writer.held.channels.delete(name.key);
  tx.channelOrNew(name).holders.delete(writer.holder);
  armVacate(tx, name, writer);
}

/** Once nobody is there: the channel is vacated when the grace is over. */
function armVacate(tx: Transaction, name: ChannelName, writer: Writer): void {
  const channel = tx.channelOrNew(name);
  if (channel.holders.size > 0 || channel.occupiedSeq === undefined || usersPresent(channel) > 0) return;
  if (writer.graceEndsMs === undefined) {
    vacate(tx, name, writer);
  } else {
    channel.cause = writer.cause;
    tx.state.deadlines.set(`v:${name.key}`, writer.graceEndsMs);
  }
}

/**
 * Tells the channel vacated, after every member whose removal is still to be told, in the order in which they were added.
 * Not while a user is present: the last one to go arms it again.
 */
export function vacate(
  tx: Transaction,
  name: ChannelName,
  { cause, retainMs }: { readonly cause: string; readonly retainMs: number },
): void {
  const channel = tx.channelOrNew(name);
  if (usersPresent(channel) > 0) return;
  for (const [user, member] of toldMembers(channel)) forgetMember(tx, name, user, member.cause);
  tellLifecycle(tx, name, { kind: 'channel_vacated', cause });
  channel.occupiedSeq = undefined;
  channel.cause = undefined;
  channel.expiresAtMs = tx.nowMs + retainMs;
  indexOf(tx, name.app).delete(name.channel);
}

/** In the order in which they were told added. */
export function toldMembers({
  users,
}: ChannelState): readonly (readonly [user: string, member: MemberState])[] {
  return [...users].sort(([, a], [, b]) => a.seq - b.seq);
}

/** What subscribers see of a change of a user: nothing, when other nodes have connections of the user. */
export type Seen = 'added' | 'removed' | undefined;

/** Nobody else may come. `maxUsers` 0: there is no limit. */
export function isFull(channel: ChannelState | undefined, user: string, maxUsers: number): boolean {
  if (maxUsers === 0 || channel === undefined) return false;
  return usersPresent(channel) >= maxUsers && (channel.users.get(user)?.holders ?? 0) === 0;
}

/** A user came to the holder. */
export function userUp(
  tx: Transaction,
  name: ChannelName,
  writer: Writer,
  user: { readonly id: string; readonly info: string },
): Seen {
  const entry = `${name.key}:${user.id}`;
  if (writer.held.members.has(entry)) return undefined;
  writer.held.members.add(entry);
  const channel = tx.channelOrNew(name);
  const member = channel.users.get(user.id);
  if (member === undefined) {
    const seq = tellLifecycle(tx, name, { kind: 'member_added', user: user.id, cause: writer.cause });
    channel.users.set(user.id, { holders: 1, seq, cause: '', info: user.info });
    return 'added';
  }
  member.holders += 1;
  if (member.holders > 1) return undefined;
  tx.state.deadlines.delete(`m:${entry}`);
  member.cause = '';
  member.info = user.info;
  return 'added';
}

/** A user has gone from the holder. */
export function userDown(tx: Transaction, name: ChannelName, writer: Writer, user: string): Seen {
  const entry = `${name.key}:${user}`;
  if (!writer.held.members.delete(entry)) return undefined;
  const member = tx.channel(name)?.users.get(user);
  if (member === undefined || member.holders === 0) return undefined;
  member.holders -= 1;
  if (member.holders > 0) return undefined;
  if (writer.graceEndsMs === undefined) {
    forgetMember(tx, name, user, writer.cause);
  } else {
    member.cause = writer.cause;
    tx.state.deadlines.set(`m:${entry}`, writer.graceEndsMs);
  }
  armVacate(tx, name, writer);
  return 'removed';
}

/** Tells the removal of a member. */
export function forgetMember(tx: Transaction, name: ChannelName, user: string, cause: string): void {
  tx.state.deadlines.delete(`m:${name.key}:${user}`);
  tx.channelOrNew(name).users.delete(user);
  tellLifecycle(tx, name, { kind: 'member_removed', user, cause });
}

export function usersPresent(channel: ChannelState | undefined): number {
  return [...(channel?.users.values() ?? [])].filter(({ holders }) => holders > 0).length;
}

export function subscriptionsOf(channel: ChannelState | undefined): number {
  return [...(channel?.holders.values() ?? [])].reduce((sum, subscriptions) => sum + subscriptions, 0);
}

function indexOf(tx: Transaction, app: string): Set<string> {
  const index = tx.state.appChannels.get(app) ?? new Set();
  tx.state.appChannels.set(app, index);
  return index;
}
