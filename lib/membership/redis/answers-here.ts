import type { ChangeResult, Join, Member, MembershipChange } from '../membership-store.ts';
import { ChangesHere } from './changes-here.ts';
import type { ChannelGroup, Expected, GroupAnswer } from './channel-group.ts';
import type { DirtyKeys } from './dirty-keys.ts';
import type { LocalChannel } from './local-channel.ts';
import type { LocalMembership } from './local-membership.ts';
import type { MembershipViews } from './membership-views.ts';
import type { WaitingChanges } from './waiting-changes.ts';

export interface AnswersHereTools {
  readonly local: LocalMembership;
  readonly dirty: DirtyKeys;
  readonly views: MembershipViews;
}

/** Tells a caller what became of its change. */
export function settle({ call, index, kind, isEdge }: Expected, { version, others }: GroupAnswer): void {
  const isAlone = isEdge && others === 0;
  call.settle(
    index,
    kind === 'join' ? { kind: 'joined', version, occupied: isAlone } : { kind: 'left', vacated: isAlone },
  );
}

/**
 * Makes changes while the store cannot be asked: callers are answered from what this node knows, its own subscribers are
 * told, and the store will be.
 */
export class AnswersHere {
  readonly #tools: AnswersHereTools;

  constructor(tools: AnswersHereTools) {
    this.#tools = tools;
  }

  /** The version that callers are answered. */
  versionOf({ appId, name, answeredVersion }: LocalChannel): number {
    return Math.max(answeredVersion, this.#tools.views.versionOf(appId, name));
  }

  /** Of what was sent and has no answer yet. */
  answer({ channel, removed, added, isCounted, expected }: ChannelGroup): void {
    channel.acceptAll();
    this.#show(channel, removed, added, isCounted);
    const answer = { version: this.versionOf(channel), others: 0, refused: [] };
    for (const one of expected) settle(one, answer);
  }

  /** Makes the changes that are left of the item. */
  make(item: WaitingChanges): void {
    const { appId, channel: name } = item;
    const channel = this.#tools.local.of(appId, name);
    const dirty = this.#tools.dirty.of(appId, name, channel.subscribers.size === 0);
    const here = new ChangesHere(this.#tools.dirty, dirty);
    const made: Expected[] = [];
    let isCounted = false;
    for (const { change, index } of item.changes.slice(item.next)) {
      const before = channel.subscribers.size;
      const result = this.#change(channel, change, here);
      if (result !== undefined) {
        item.call.settle(index, result);
        continue;
      }
      isCounted ||= change.counted;
      const after = channel.subscribers.size;
      made.push({ call: item.call, index, kind: change.kind, isEdge: (before === 0) !== (after === 0) });
    }
    dirty.isCounted ||= isCounted;
    this.#tools.local.forgetIfEmpty(channel);
    if (channel.subscribers.size === 0) this.#tools.dirty.forgetIfNothing(dirty);
    this.#show(channel, [...here.removed], here.added, isCounted);
    const answer = { version: this.versionOf(channel), others: 0, refused: [] };
    for (const one of made) settle(one, answer);
  }

  /** Undefined: it is made. */
  #change(channel: LocalChannel, change: MembershipChange, here: ChangesHere): ChangeResult | undefined {
    if (change.kind === 'leave') return channel.leave(change, here) ? undefined : { kind: 'ignored' };
    if (this.#isFull(channel, change, here)) return { kind: 'full' };
    channel.join(change, here);
    channel.isCounted = change.counted;
    return undefined;
  }

  #isFull(channel: LocalChannel, join: Join, here: ChangesHere): boolean {
    if (!channel.isForStoreToDecide(join)) return false;
    const known = this.#tools.views.membersOf(channel.appId, channel.name);
    if (known.has(join.member?.userId ?? '') && !here.removed.has(join.member?.userId ?? '')) return false;
    const present = Math.max(channel.users.size, known.size + here.gainOver(known));
    return present - (channel.userThatGoes(join) === undefined ? 0 : 1) >= join.maxMembers;
  }

  /** Whom other nodes have brought is known already. */
  #show(
    { appId, name, subscribers }: LocalChannel,
    removed: readonly string[],
    added: readonly Member[],
    isCounted: boolean,
  ): void {
    const { views } = this.#tools;
    const known = views.membersOf(appId, name);
    const news = added.filter(({ userId }) => !known.has(userId) || removed.includes(userId));
    if (removed.length === 0 && news.length === 0 && !isCounted) return;
    views.appliedHere(appId, name, {
      removed,
      added: news,
      ...(isCounted ? { subscriptionCount: subscribers.size } : {}),
    });
  }
}
