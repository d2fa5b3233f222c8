import type { Clock } from '../../flow/clock.ts';
import type { Join } from '../membership-store.ts';
import { AnswersHere, settle } from './answers-here.ts';
import { Batch } from './batch.ts';
import { ChangesHere } from './changes-here.ts';
import { ChannelGroup, type Expected, type GroupAnswer } from './channel-group.ts';
import { type DirtyChannel, DirtyKeys } from './dirty-keys.ts';
import { type Held, keyOf, type LocalChannel } from './local-channel.ts';
import { LocalMembership } from './local-membership.ts';
import type { MembershipViews } from './membership-views.ts';
import { ShownAhead } from './shown-ahead.ts';
import { type WaitingChanges, WaitingQueue } from './waiting-changes.ts';

export interface PartitionTools {
  readonly clock: Clock;
  readonly views: MembershipViews;
  /** Whether an endpoint is told the number of subscriptions. */
  readonly wantsCounts: (appId: string, channel: string) => boolean;
  /** Whether the numbers of subscriptions of the app's channels can be asked for. */
  readonly asksCounts: (appId: string) => boolean;
  /** There is something to take. */
  readonly poke: () => void;
  /** A channel's number of subscriptions changed, and the store does not hear of it now. */
  readonly onStaleCount: () => void;
  /** Changes that may wait. */
  readonly maxWaiting: number;
}

/**
 * This node's membership in one partition. What a call changes here is changed when a batch is made of it, and its answer
 * follows from the store's. While the store cannot be asked, everything is changed and answered at once; what is true in
 * the end is told to the store key by key.
 */
export class PartitionMembership {
  readonly local: LocalMembership;
  readonly #tools: PartitionTools;
  readonly #queue = new WaitingQueue();
  readonly #dirty = new DirtyKeys();
  /** Taken and not answered, in order. */
  readonly #underWay = new Set<ChannelGroup>();
  readonly #lastUnderWay = new Map<string, ChannelGroup>();
  readonly #shownAhead = new ShownAhead();
  readonly #staleCounts = new Set<LocalChannel>();
  readonly #here: AnswersHere;
  #isAway = false;
  #overflows = 0;

  constructor(tools: PartitionTools) {
    this.#tools = tools;
    this.local = new LocalMembership(tools.clock);
    this.#here = new AnswersHere({ local: this.local, dirty: this.#dirty, views: tools.views });
  }

  /** Calls that did not fit into the queue and were answered from what is known here. */
  get overflows(): number {
    return this.#overflows;
  }

  /** Channels and users that the store has to be told of again. */
  get dirty(): number {
    return this.#dirty.size;
  }

  /** Changes that wait for a batch. */
  get queued(): number {
    return this.#queue.changes;
  }

  /** Channels whose number of subscriptions the store does not know. */
  get staleCounts(): Iterable<LocalChannel> {
    return this.#staleCounts;
  }

  /** Whether subscribers here were shown something of the channel that the store has yet to confirm. */
  isUnconfirmed(appId: string, name: string): boolean {
    const key = keyOf({ appId, name });
    return this.#dirty.has(key) || this.#shownAhead.has(key);
  }

  waiting(): { readonly changes: number; readonly isUrgent: boolean } {
    if (this.#isAway) return { changes: 0, isUrgent: false };
    return { changes: this.#queue.changes + this.#dirty.size, isUrgent: this.#queue.joins > 0 };
  }

  add(item: WaitingChanges): void {
    if (this.#isAway) {
      this.#here.make(item);
      return;
    }
    if (this.#queue.changes + item.changes.length <= this.#tools.maxWaiting) {
      this.#queue.push(item);
      return;
    }
    this.#overflows++;
    this.#answerHere();
    this.#here.make(item);
  }

  #begin(channel: LocalChannel, isLeavesOnly: boolean): ChannelGroup {
    const group = new ChannelGroup(channel, isLeavesOnly, (one, answer) => this.#answered(one, answer));
    group.isCountAsked = this.#tools.asksCounts(channel.appId);
    return group;
  }

  /** The last item may be larger than what is left of the room. */
  take(room: number): readonly ChannelGroup[] {
    if (this.#isAway) return [];
    const batch = new Batch({
      local: this.local,
      dirty: this.#dirty,
      begin: (channel, isLeavesOnly) => this.#begin(channel, isLeavesOnly),
      wantsCounts: this.#tools.wantsCounts,
    });
    if (this.#takeDirty(batch, room)) this.#takeQueued(batch, room);
    batch.end();
    return batch.groups.filter((group) => this.#isSent(group));
  }

  away(): void {
    this.#isAway = true;
    this.#answerHere();
  }

  returned(): void {
    this.#isAway = false;
    if (this.#dirty.size > 0) this.#tools.poke();
  }

  /** What is under way is sent again before. */
  assertAll(isWiped: boolean): void {
    for (const channel of this.local.channels) {
      const dirty = this.#assert(channel);
      for (const userId of channel.users.keys()) this.#dirty.assert(dirty, userId);
    }
    if (isWiped) this.#retell();
    if (!this.#isAway && this.#dirty.size > 0) this.#tools.poke();
  }

  /** Tells the store the numbers of subscriptions that it has not been told. */
  tellCounts(): void {
    for (const channel of this.#staleCounts) {
      const { appId, name } = channel;
      if (this.local.find(appId, name) !== channel || channel.toldCount === channel.subscribers.size)
        continue;
      this.#dirty.of(appId, name, false);
    }
    this.#staleCounts.clear();
    if (!this.#isAway && this.#dirty.size > 0) this.#tools.poke();
  }

  /** False: something has to wait for the store. */
  #takeDirty(batch: Batch, room: number): boolean {
    for (let dirty = this.#dirty.first(); dirty !== undefined; dirty = this.#dirty.first()) {
      const channel = this.local.find(dirty.appId, dirty.channel);
      if (batch.changes >= room || channel?.isUndecided === true) return false;
      batch.addDirty(dirty, room - batch.changes);
    }
    return true;
  }

  #takeQueued(batch: Batch, room: number): void {
    while (batch.changes < room) {
      const item = this.#queue.peek();
      if (item === undefined || !batch.add(item)) return;
      this.#queue.shift();
    }
  }

  /** A group that is not needed has no answer of its own. Who comes to what is under way is answered with that. */
  #isSent(group: ChannelGroup): boolean {
    const { channel } = group;
    if (group.isNeeded) {
      this.#underWay.add(group);
      if (group.isAssertion) this.#shownAhead.add(group);
      this.#lastUnderWay.set(channel.key, group);
      this.#staleCounts.delete(channel);
      return true;
    }
    const last = this.#lastUnderWay.get(channel.key);
    for (const one of group.expected) {
      if (one.kind === 'join' && last !== undefined) last.expected.push(one);
      else settle(one, { version: this.#here.versionOf(channel), others: 0, refused: [] });
    }
    if (group.expected.length > 0) this.#noteStaleCount(channel);
    return false;
  }

  #answered(group: ChannelGroup, answer: GroupAnswer): void {
    const { channel } = group;
    const isExpected = this.#underWay.delete(group);
    this.#shownAhead.delete(group);
    if (this.#lastUnderWay.get(channel.key) === group) this.#lastUnderWay.delete(channel.key);
    channel.answeredVersion = Math.max(channel.answeredVersion, answer.version);
    if (!isExpected) {
      this.#refusedLate(channel, answer.refused);
      return;
    }
    for (const one of group.expected) {
      const isRefused = one.undecided !== undefined && this.#decide(channel, one.undecided, answer.refused);
      if (isRefused) one.call.settle(one.index, { kind: 'full' });
      else settle(one, answer);
    }
  }

  /** Whether the user is refused: then the connection has again what it had. */
  #decide(
    channel: LocalChannel,
    { join, userId, replaced }: NonNullable<Expected['undecided']>,
    refused: readonly string[],
  ): boolean {
    if (!refused.includes(userId)) {
      channel.accept(userId);
      return false;
    }
    channel.refuse(userId);
    this.local.forgetIfEmpty(channel);
    if (replaced !== undefined) this.#giveBack(join, replaced);
    return true;
  }

  #giveBack({ appId, channel: name, socketId }: Join, { incarnation, member }: Held): void {
    const dirty = this.#dirty.of(appId, name, false);
    this.local
      .of(appId, name)
      .join(
        { appId, channel: name, socketId, incarnation, maxMembers: 0, ...(member && { member }) },
        new ChangesHere(this.#dirty, dirty),
      );
    this.#tools.poke();
  }

  /** They have been told that they joined: the store is told as well. */
  #refusedLate({ appId, name }: LocalChannel, refused: readonly string[]): void {
    if (refused.length === 0) return;
    const dirty = this.#dirty.of(appId, name, false);
    for (const userId of refused) this.#dirty.assert(dirty, userId);
    if (!this.#isAway) this.#tools.poke();
  }

  #noteStaleCount(channel: LocalChannel): void {
    if (channel.toldCount === channel.subscribers.size) return;
    this.#staleCounts.add(channel);
    this.#tools.onStaleCount();
  }

  /** The store is told of the channel whatever it knows of it. */
  #assert({ appId, name, isCounted }: LocalChannel): DirtyChannel {
    const dirty = this.#dirty.of(appId, name, false);
    dirty.isNew = false;
    dirty.isCounted ||= isCounted;
    return dirty;
  }

  #retell(): void {
    for (const { appId, channel, member } of this.local.givenUp.recent()) {
      const dirty = this.#dirty.of(appId, channel, true);
      if (member === undefined) dirty.isRetold = true;
      else this.#dirty.retell(dirty, member);
    }
  }

  /** Answers everybody who waits from what is known here. */
  #answerHere(): void {
    for (const group of this.#underWay) {
      this.#shownAhead.add(group);
      this.#here.answer(group);
    }
    this.#underWay.clear();
    this.#lastUnderWay.clear();
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift())
      this.#here.make(item);
  }
}
