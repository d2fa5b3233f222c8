import type { Group } from '../../cluster/group-source.ts';
import type { Join, Member, MembershipChange } from '../membership-store.ts';
import type { Held, LocalChannel, Transitions } from './local-channel.ts';
import type { Call } from './waiting-changes.ts';

/** What happened within a group to "is here": nothing, or these in turn; 1 it came, 0 it went. */
type Ops = '=' | '1' | '0' | '10' | '01';

interface UserOps {
  ops: Ops;
  member: Member | undefined;
  maxMembers: number;
}

/** A change whose result comes with the group's answer. */
export interface Expected {
  readonly call: Call;
  readonly index: number;
  readonly kind: 'join' | 'leave';
  /** The node's first subscription of the channel, or its last. */
  readonly isEdge: boolean;
  /** The join whose user the store may refuse, and whom the connection brought before. */
  readonly undecided?: { readonly join: Join; readonly userId: string; readonly replaced: Held | undefined };
}

/** The store's answer to a group. */
export interface GroupAnswer {
  readonly version: number;
  /** Other nodes with subscriptions of the channel, before the group. */
  readonly others: number;
  readonly refused: readonly string[];
}

/**
 * What one batch says of one channel: how many subscriptions this node has, and what happened to it and to users meanwhile.
 * It is written while changes are made, and sealed when no more come.
 */
export class ChannelGroup implements Group, Transitions {
  readonly channel: LocalChannel;
  readonly isLeavesOnly: boolean;
  /** Whose results come with the answer. */
  readonly expected: Expected[] = [];
  /** The number of subscriptions is announced. */
  isCounted = false;
  /** The number of subscriptions can be asked for: it does not wait. */
  isCountAsked = false;
  /** It says what holds whatever the store was told before. */
  isAssertion = false;
  readonly #onAnswer: (group: ChannelGroup, answer: GroupAnswer) => void;
  readonly #users = new Map<string, UserOps>();
  #ops: Ops = '=';
  #hasArrivals = false;
  #hasPassersBy = false;
  #isCountTold = false;
  #flags = 0;
  #subscriptions = 0;
  #args: readonly (string | number)[] = [];

  constructor(
    channel: LocalChannel,
    isLeavesOnly: boolean,
    onAnswer: (group: ChannelGroup, answer: GroupAnswer) => void,
  ) {
    this.channel = channel;
    this.isLeavesOnly = isLeavesOnly;
    this.#onAnswer = onAnswer;
  }

  get args(): readonly (string | number)[] {
    return this.#args;
  }

  get changes(): number {
    return Math.max(1, this.#users.size + (this.#ops === '=' ? 0 : 1));
  }

  /** Otherwise it says no more than a number that can wait. */
  get isNeeded(): boolean {
    return this.isCounted || this.#tellsCount || this.#ops !== '=' || this.#users.size > 0;
  }

  get #tellsCount(): boolean {
    const { subscribers, toldCount } = this.channel;
    return this.#isCountTold || (this.isCountAsked && subscribers.size !== toldCount);
  }

  get removed(): readonly string[] {
    return [...this.#users].flatMap(([userId, { ops }]) => (ops.startsWith('0') ? [userId] : []));
  }

  get added(): readonly Member[] {
    return [...this.#users.values()].flatMap(({ ops, member }) =>
      ops.endsWith('1') && member !== undefined ? [member] : [],
    );
  }

  channelUp(): void {
    this.#ops = followedBy(this.#ops, '1');
  }

  channelDown(): void {
    this.#ops = followedBy(this.#ops, '0');
  }

  userUp(member: Member, maxMembers: number): void {
    const before = this.#users.get(member.userId)?.ops ?? '=';
    // Behind those who make room.
    this.#users.delete(member.userId);
    this.#users.set(member.userId, { ops: followedBy(before, '1'), member, maxMembers });
    this.#hasArrivals = true;
  }

  userDown({ userId }: Member): void {
    const user = this.#users.get(userId);
    if (user === undefined) {
      this.#users.set(userId, { ops: '0', member: undefined, maxMembers: 0 });
      return;
    }
    user.ops = followedBy(user.ops, '0');
    if (user.ops === '10') this.#hasPassersBy = true;
    else user.member = undefined;
  }

  /** Says of a user, or of the channel, what holds whatever was said before. */
  assertChannel(ops: Ops): void {
    this.isAssertion = true;
    this.#ops = ops;
  }

  assertUser(userId: string, ops: Ops, member: Member | undefined): void {
    this.#users.set(userId, { ops, member, maxMembers: 0 });
  }

  /** Whether what the change does cannot be said in this group besides what it says already. */
  needsAnother(change: MembershipChange): boolean {
    const { channel } = this;
    // Of a channel that goes and comes, the store tells first who goes and then who comes: nobody passes by in between.
    if (change.kind === 'join' && channel.subscribers.size === 0 && this.#ops === '0' && this.#hasPassersBy) {
      return true;
    }
    const goes = channel.userThatGoes(change);
    if (goes !== undefined && this.#ops === '01' && this.#users.get(goes)?.ops === '1') return true;
    // A limit is looked at in the order of the changes: who came while there was no room, and who comes.
    if (goes !== undefined && this.#hasLimitedBehind(goes)) return true;
    const userId = change.kind === 'join' ? change.member?.userId : undefined;
    return userId !== undefined && this.#hasArrivals && this.#users.has(userId) && limitOf(change) > 0;
  }

  /** Whether somebody is in the group, and behind them others whom a limit may refuse. */
  #hasLimitedBehind(userId: string): boolean {
    if (!this.#hasArrivals || !this.#users.has(userId)) return false;
    let isBehind = false;
    for (const [id, { maxMembers }] of this.#users) {
      if (isBehind && maxMembers > 0) return true;
      isBehind ||= id === userId;
    }
    return false;
  }

  /** `wantsCounts`: an endpoint is told the number of subscriptions. */
  seal(wantsCounts: boolean): void {
    const { subscribers } = this.channel;
    this.#isCountTold = this.#tellsCount;
    if (this.isCounted) this.#flags = wantsCounts ? 3 : 1;
    this.#subscriptions = subscribers.size;
    this.channel.toldCount = subscribers.size;
    this.#write(this.#subscriptions, [...this.#users]);
  }

  answered(reply: string): void {
    const [version, others, positions] = reply.split(' ');
    const userIds = [...this.#users.keys()];
    const at = positions === undefined || positions === '-' ? [] : positions.split(',');
    const refused = at.flatMap((position) => userIds[Number(position)] ?? []);
    this.#writeDecided(refused);
    this.#onAnswer(this, { version: Number(version), others: Number(others), refused });
  }

  /** A store that loses the batch and is given it again decides nothing anew: somebody was told what it decided. */
  #writeDecided(refused: readonly string[]): void {
    const { channel } = this;
    channel.refusedInBatch += refused.length;
    const users = [...this.#users];
    if (channel.refusedInBatch === 0 && users.every(([, { maxMembers }]) => maxMembers === 0)) return;
    const decided = users.flatMap(([userId, user]): [string, UserOps][] => {
      if (!refused.includes(userId)) return [[userId, { ...user, maxMembers: 0 }]];
      return user.ops === '01' ? [[userId, { ops: '0', member: undefined, maxMembers: 0 }]] : [];
    });
    this.#write(this.#subscriptions - channel.refusedInBatch, decided);
  }

  #write(subscriptions: number, users: readonly (readonly [string, UserOps])[]): void {
    const { appId, name } = this.channel;
    const limit = users.reduce((max, [, { maxMembers }]) => Math.max(max, maxMembers), 0);
    this.#args = ['c', appId, name, subscriptions, this.#ops, this.#flags, limit, users.length].concat(
      users.flatMap(([userId, user]) => [userId, user.ops, user.maxMembers, infoOf(user.member)]),
    );
  }
}

/** Two in turn that undo each other leave their trace, a third takes it back. */
function followedBy(ops: Ops, next: '0' | '1'): Ops {
  if (ops === '=') return next;
  if (ops === '1') return '10';
  if (ops === '0') return '01';
  return next;
}

function limitOf(change: MembershipChange): number {
  return change.kind === 'join' ? change.maxMembers : 0;
}

function infoOf(member: Member | undefined): string {
  return member?.userInfoJson === undefined ? '-' : `=${member.userInfoJson}`;
}
