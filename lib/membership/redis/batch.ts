import type { ChangeResult, Join, MembershipChange } from '../membership-store.ts';
import type { ChannelGroup } from './channel-group.ts';
import type { DirtyChannel, DirtyKeys } from './dirty-keys.ts';
import type { LocalChannel } from './local-channel.ts';
import type { LocalMembership } from './local-membership.ts';
import type { WaitingChanges } from './waiting-changes.ts';

export interface BatchTools {
  readonly local: LocalMembership;
  readonly dirty: DirtyKeys;
  readonly begin: (channel: LocalChannel, isLeavesOnly: boolean) => ChannelGroup;
  readonly wantsCounts: (appId: string, channel: string) => boolean;
}

/** Makes changes to what is here, and writes down what the store is told of it. */
export class Batch {
  readonly groups: ChannelGroup[] = [];
  readonly #tools: BatchTools;
  /** The last group of each channel. */
  readonly #last = new Map<string, ChannelGroup>();
  #changes = 0;

  constructor(tools: BatchTools) {
    this.#tools = tools;
  }

  get changes(): number {
    return this.#changes;
  }

  /** Makes the changes that are left of the item. False: the next of them has to wait for the store. */
  add(item: WaitingChanges): boolean {
    const channel = this.#tools.local.of(item.appId, item.channel);
    const isLeavesOnly = item.changes.every(({ change }) => change.kind === 'leave');
    let group = this.#groupFor(channel, isLeavesOnly);
    const touched = new Set([group]);
    this.#changes -= sizeOf(group);
    for (let next = item.changes[item.next]; next !== undefined; next = item.changes[++item.next]) {
      const { change, index } = next;
      if (channel.hasToWait(change)) break;
      if (group.needsAnother(change)) group = this.#begin(channel, isLeavesOnly);
      if (change.kind === 'join') group = this.#join(group, item, change, index);
      else leave(group, item, change, index);
      touched.add(group);
    }
    this.#tools.local.forgetIfEmpty(channel);
    for (const one of touched) this.#changes += sizeOf(one);
    return item.next === item.changes.length;
  }

  /**
   * Takes as much of a dirty channel as there is room for: what is true now, whatever the store was told before. All at
   * once when nothing of it is left here, so that the channel never goes before its users.
   */
  addDirty(dirty: DirtyChannel, room: number): void {
    const { local } = this.#tools;
    const channel = local.of(dirty.appId, dirty.channel);
    const isHere = channel.subscribers.size > 0;
    const group = this.#begin(channel, false);
    const gone = dirty.isRetold ? '10' : '0';
    group.assertChannel(isHere ? '1' : gone);
    group.isCounted = dirty.isCounted || channel.isCounted;
    for (const [userId, { retold }] of dirty.users) {
      if (isHere && group.changes > room) break;
      const member = channel.users.get(userId)?.member ?? retold;
      const isPresent = channel.users.has(userId);
      group.assertUser(userId, isPresent ? '1' : retold === undefined ? '0' : '10', member);
      this.#tools.dirty.takeUser(dirty, userId);
    }
    local.forgetIfEmpty(channel);
    this.#changes += group.changes;
    if (dirty.users.size === 0) this.#tools.dirty.take(dirty);
  }

  /** No more comes. */
  end(): void {
    for (const group of this.#last.values()) this.#seal(group);
  }

  #join(group: ChannelGroup, { call }: WaitingChanges, join: Join, index: number): ChannelGroup {
    const { channel } = group;
    const previous = channel.subscribers.get(join.socketId);
    const userId = channel.isForStoreToDecide(join) ? join.member?.userId : undefined;
    const replaced = previous && channel.heldBy(previous);
    let taking = group;
    if (userId !== undefined && previous !== undefined) {
      // In groups of their own: the one who is replaced has gone for certain, the other may be refused.
      channel.leave({ ...join, incarnation: previous.incarnation }, group);
      taking = this.#begin(channel, false);
    }
    const isEdge = previous === undefined && channel.subscribers.size === 0;
    channel.join(join, taking);
    channel.isCounted = join.counted;
    if (join.counted && previous === undefined) taking.isCounted = true;
    if (userId !== undefined) channel.awaitDecision(userId, join.socketId, replaced !== undefined);
    taking.expected.push({
      call,
      index,
      kind: 'join',
      isEdge,
      ...(userId === undefined ? {} : { undecided: { join, userId, replaced } }),
    });
    return taking;
  }

  /** Calls that only leave may say it together. */
  #groupFor(channel: LocalChannel, isLeavesOnly: boolean): ChannelGroup {
    const last = this.#last.get(channel.key);
    if (isLeavesOnly && last?.isLeavesOnly === true) return last;
    return this.#begin(channel, isLeavesOnly);
  }

  #begin(channel: LocalChannel, isLeavesOnly: boolean): ChannelGroup {
    const last = this.#last.get(channel.key);
    if (last === undefined) channel.refusedInBatch = 0;
    else this.#seal(last);
    const group = this.#tools.begin(channel, isLeavesOnly);
    this.#last.set(channel.key, group);
    this.groups.push(group);
    return group;
  }

  #seal(group: ChannelGroup): void {
    const { appId, name } = group.channel;
    if (group.isNeeded) group.seal(this.#tools.wantsCounts(appId, name));
  }
}

function leave(
  group: ChannelGroup,
  { call }: WaitingChanges,
  change: Exclude<MembershipChange, Join>,
  index: number,
): void {
  const { channel } = group;
  if (!channel.leave(change, group)) {
    call.settle(index, ignored);
    return;
  }
  channel.isCounted = change.counted;
  if (change.counted) group.isCounted = true;
  group.expected.push({ call, index, kind: 'leave', isEdge: channel.subscribers.size === 0 });
}

function sizeOf(group: ChannelGroup): number {
  return group.isNeeded ? group.changes : 0;
}

const ignored: ChangeResult = { kind: 'ignored' };
