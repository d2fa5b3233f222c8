import type { GroupSource } from '../../cluster/group-source.ts';
import type { Clock } from '../../flow/clock.ts';
import type { MaybePromise } from '../../flow/maybe-promise.ts';
import { partitionOf } from '../../cluster/partition.ts';
import { type Reply, StoreAway, type StoreLink } from '../../redis/store-link.ts';
import type { ScriptName } from '../../redis/script-names.ts';
import type {
  ChangeResult,
  ChannelSummary,
  Member,
  MembershipChange,
  MembershipSnapshot,
  MembershipStore,
} from '../membership-store.ts';
import type { ChannelGroup } from './channel-group.ts';
import { keyOf, type LocalChannel } from './local-channel.ts';
import type { MembershipViews } from './membership-views.ts';
import { PartitionMembership } from './partition-membership.ts';
import { Call, type WaitingChanges } from './waiting-changes.ts';

export interface RedisMembershipOptions {
  readonly link: Pick<StoreLink, 'isUp' | 'partitions' | 'run'>;
  /** A partition has something to take. */
  readonly poke: (partition: number) => void;
  readonly views: MembershipViews;
  readonly clock: Clock;
  /** Whether an endpoint is told the number of subscriptions of the channel. */
  readonly wantsCounts: (appId: string, channel: string) => boolean;
  /** Whether the numbers of subscriptions of the app's channels can be asked for: then none waits to be told. */
  readonly asksCounts?: (appId: string) => boolean;
  /** Changes of one partition that may wait for a batch. Default: 10,000. */
  readonly maxWaiting?: number;
}

const defaultMaxWaiting = 10_000;
/** A number of subscriptions that nobody waits for is told at most this often. */
const countEveryMs = 1_000;

/**
 * Membership of all nodes, in Redis: this node's changes go to the store in batches, as a source of its writers, and are
 * announced by the store.
 */
export class RedisMembershipStore implements MembershipStore, GroupSource {
  readonly #options: RedisMembershipOptions;
  readonly #partitions: readonly PartitionMembership[];
  #countTimer: NodeJS.Timeout | undefined;

  constructor(options: RedisMembershipOptions) {
    const { clock, views, wantsCounts, link, maxWaiting = defaultMaxWaiting } = options;
    const { asksCounts = () => false } = options;
    this.#options = options;
    this.#partitions = Array.from(
      { length: link.partitions },
      (_, partition) =>
        new PartitionMembership({
          clock,
          views,
          wantsCounts,
          asksCounts,
          maxWaiting,
          poke: () => options.poke(partition),
          onStaleCount: () => this.#tellCountsSoon(),
        }),
    );
  }

  /** Changes that wait for a batch. */
  get queued(): number {
    return this.#sum(({ queued }) => queued);
  }

  /** Channels and users that the store has to be told of again. */
  get dirty(): number {
    return this.#sum(({ dirty }) => dirty);
  }

  /** Calls that found a full queue, and were answered from what this node knows. */
  get overflows(): number {
    return this.#sum(({ overflows }) => overflows);
  }

  apply(changes: readonly MembershipChange[]): MaybePromise<readonly ChangeResult[]> {
    const call = new Call(changes.length);
    const touched = new Set<number>();
    for (const item of byChannel(call, changes)) {
      const partition = this.#partitionOf(item.appId, item.channel);
      this.#partitions[partition]?.add(item);
      touched.add(partition);
    }
    const answer = call.answer();
    for (const partition of touched) {
      if ((this.#partitions[partition]?.waiting().changes ?? 0) > 0) this.#options.poke(partition);
    }
    return answer;
  }

  snapshot(appId: string, channel: string): MaybePromise<MembershipSnapshot> {
    const atLeast = this.#find(appId, channel)?.answeredVersion ?? 0;
    return this.#options.views.snapshot(appId, channel, atLeast);
  }

  /** The members with a connection to this node. */
  localMembers(appId: string, channel: string): Iterable<Member> {
    return this.#find(appId, channel)?.members ?? [];
  }

  /** Whether this node's subscribers were shown something of the channel that the store has yet to confirm. */
  isUnconfirmed(appId: string, channel: string): boolean {
    return this.#partitions[this.#partitionOf(appId, channel)]?.isUnconfirmed(appId, channel) ?? false;
  }

  channels(appId: string, prefix: string): MaybePromise<readonly ChannelSummary[]> {
    const { link } = this.#options;
    if (!link.isUp) return this.#channelsHere(appId, prefix);
    const untold = new Map<string, number>();
    for (const { staleCounts } of this.#partitions) {
      for (const one of staleCounts) if (one.appId === appId) untold.set(one.name, untoldOf(one));
    }
    const asked = this.#partitions.map((_, partition) => this.#ask('channels', partition, [appId, prefix]));
    const answer = Promise.all(asked).then((replies) =>
      replies
        .flatMap(summariesIn)
        .map((summary) => withUntold(summary, untold.get(summary.channel)))
        .sort(byName),
    );
    return unlessAway(answer, () => this.#channelsHere(appId, prefix));
  }

  channel(appId: string, channel: string): MaybePromise<ChannelSummary | undefined> {
    const { link } = this.#options;
    if (!link.isUp) return this.#channelHere(appId, channel);
    const here = this.#find(appId, channel);
    const untold = here && untoldOf(here);
    const answer = this.#ask('channel', this.#partitionOf(appId, channel), [appId, channel]).then(
      ([subscriptions, users]) => {
        const summary = { channel, subscriptions: Number(subscriptions), users: Number(users) };
        return summary.subscriptions === 0 ? undefined : withUntold(summary, untold);
      },
    );
    return unlessAway(answer, () => this.#channelHere(appId, channel));
  }

  users(appId: string, channel: string): MaybePromise<readonly string[]> {
    const { link } = this.#options;
    if (!link.isUp) return this.#usersHere(appId, channel);
    const answer = this.#ask('users', this.#partitionOf(appId, channel), [appId, channel]);
    return unlessAway(
      answer.then((users) => users.map(String)),
      () => this.#usersHere(appId, channel),
    );
  }

  take(partition: number, room: number): readonly ChannelGroup[] {
    return this.#partitions[partition]?.take(room) ?? [];
  }

  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean } {
    return this.#partitions[partition]?.waiting() ?? { changes: 0, isUrgent: false };
  }

  away(): void {
    for (const partition of this.#partitions) partition.away();
  }

  returned(): void {
    for (const partition of this.#partitions) partition.returned();
  }

  assertAll(partition: number, { isWiped }: { readonly isWiped: boolean }): void {
    this.#partitions[partition]?.assertAll(isWiped);
  }

  #tellCountsSoon(): void {
    this.#countTimer ??= setTimeout(() => {
      this.#countTimer = undefined;
      for (const partition of this.#partitions) partition.tellCounts();
    }, countEveryMs).unref();
  }

  /** What follows the word of the reply. */
  async #ask(script: ScriptName, partition: number, args: readonly string[]): Promise<readonly Reply[]> {
    const reply = await this.#options.link.run(script, partition, args);
    const [word, ...rest] = Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
    if (word !== 'OK') throw new Error(`the store answered ${JSON.stringify(word)} to "${script}"`);
    return rest;
  }

  #channelsHere(appId: string, prefix: string): readonly ChannelSummary[] {
    return this.#localChannels(appId, prefix)
      .map((channel) => this.#summaryHere(channel))
      .sort(byName);
  }

  #channelHere(appId: string, channel: string): ChannelSummary | undefined {
    const here = this.#find(appId, channel);
    return here && this.#summaryHere(here);
  }

  /** Users of other nodes as they were last heard of; their subscriptions are not known. */
  #summaryHere({ appId, name, subscribers }: LocalChannel): ChannelSummary {
    return { channel: name, subscriptions: subscribers.size, users: this.#usersHere(appId, name).length };
  }

  #usersHere(appId: string, channel: string): readonly string[] {
    const users = new Set(this.#options.views.membersOf(appId, channel).keys());
    for (const { userId } of this.localMembers(appId, channel)) users.add(userId);
    return [...users];
  }

  #localChannels(appId: string, prefix: string): readonly LocalChannel[] {
    return this.#partitions.flatMap(({ local }) =>
      Array.from(local.channels).filter((one) => one.appId === appId && one.name.startsWith(prefix)),
    );
  }

  #find(appId: string, channel: string): LocalChannel | undefined {
    return this.#partitions[this.#partitionOf(appId, channel)]?.local.find(appId, channel);
  }

  #partitionOf(appId: string, channel: string): number {
    return partitionOf(appId, channel, this.#partitions.length);
  }

  #sum(of: (partition: PartitionMembership) => number): number {
    return this.#partitions.reduce((sum, partition) => sum + of(partition), 0);
  }
}

/** What is known here is the answer when the store does not give one. */
async function unlessAway<T>(answer: Promise<T>, here: () => T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreAway) return here();
    throw error;
  }
}

/** The call's changes of each channel, in order. */
function byChannel(call: Call, changes: readonly MembershipChange[]): Iterable<WaitingChanges> {
  const items = new Map<string, WaitingChanges>();
  for (const [index, change] of changes.entries()) {
    const { appId, channel } = change;
    const key = keyOf({ appId, name: channel });
    const item = items.get(key) ?? { call, appId, channel, changes: [], next: 0 };
    item.changes.push({ change, index });
    items.set(key, item);
  }
  return items.values();
}

/** Subscriptions here that the store has not been told of, or fewer. */
function untoldOf({ subscribers, toldCount }: LocalChannel): number {
  return subscribers.size - toldCount;
}

function withUntold(summary: ChannelSummary, untold = 0): ChannelSummary {
  return { ...summary, subscriptions: Math.max(1, summary.subscriptions + untold) };
}

function summariesIn(fields: readonly Reply[]): readonly ChannelSummary[] {
  const summaries: ChannelSummary[] = [];
  for (let i = 0; i < fields.length; i += 3) {
    const [channel, subscriptions, users] = fields.slice(i, i + 3);
    summaries.push({ channel: String(channel), subscriptions: Number(subscriptions), users: Number(users) });
  }
  return summaries;
}

function byName(one: ChannelSummary, other: ChannelSummary): number {
  return one.channel < other.channel ? -1 : 1;
}
