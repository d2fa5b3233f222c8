import { systemClock } from '../../../../lib/flow/clock.ts';
import type { Group } from '../../../../lib/cluster/group-source.ts';
import type { Join, Leave, Member } from '../../../../lib/membership/membership-store.ts';
import type { ChangedHere, MembershipViews } from '../../../../lib/membership/redis/membership-views.ts';
import {
  type RedisMembershipOptions,
  RedisMembershipStore,
} from '../../../../lib/membership/redis/redis-membership-store.ts';
import { StoreAway } from '../../../../lib/redis/store-link.ts';
import type { GroupModel, Told } from './group-model.ts';

export const room = 'presence-room';

export function join(socketId: string, own: Partial<Join> & { readonly user?: string } = {}): Join {
  const { user, ...rest } = own;
  const member = user === undefined ? {} : { member: { userId: user, userInfoJson: undefined } };
  const base = { kind: 'join', appId: 'app-1', channel: room, socketId, incarnation: 1 } as const;
  return { ...base, maxMembers: 0, counted: false, ...member, ...rest };
}

export function leave(socketId: string, own: Partial<Leave> = {}): Leave {
  return { kind: 'leave', appId: 'app-1', channel: room, socketId, incarnation: 1, counted: false, ...own };
}

/** Views that follow what they are told, and remember what was shown here. */
export class FollowingViews implements MembershipViews {
  readonly shown: (ChangedHere & { readonly channel: string })[] = [];
  readonly asked: number[] = [];
  readonly #members = new Map<string, Map<string, Member>>();
  readonly #versions = new Map<string, number>();

  hear({ channel, version, removed, added }: Told): void {
    const members = this.#of(channel);
    for (const userId of removed) members.delete(userId);
    for (const [userId, info] of added) members.set(userId, toMember(userId, info));
    this.#versions.set(channel, version);
  }

  snapshot(_appId: string, channel: string, atLeast: number) {
    this.asked.push(atLeast);
    return { version: this.versionOf('', channel), members: [...this.#of(channel).values()] };
  }

  versionOf(_appId: string, channel: string): number {
    return this.#versions.get(channel) ?? 0;
  }

  membersOf(_appId: string, channel: string): ReadonlyMap<string, Member> {
    return this.#of(channel);
  }

  appliedHere(_appId: string, channel: string, changed: ChangedHere): void {
    this.shown.push({ channel, ...changed });
    const members = this.#of(channel);
    for (const userId of changed.removed) members.delete(userId);
    for (const member of changed.added) members.set(member.userId, member);
    this.#versions.set(channel, this.versionOf('', channel) + 2 ** -12);
  }

  /** Reads them anew. */
  read(model: GroupModel, channels: readonly string[]): void {
    for (const name of channels) {
      const { users, version } = model.channel(name);
      this.#members.set(
        name,
        new Map([...users].map(([userId, { info }]) => [userId, toMember(userId, info)])),
      );
      this.#versions.set(name, version);
    }
  }

  #of(channel: string): Map<string, Member> {
    const members = this.#members.get(channel) ?? new Map<string, Member>();
    this.#members.set(channel, members);
    return members;
  }
}

function toMember(userId: string, info: string): Member {
  return { userId, userInfoJson: info === '-' ? undefined : info.slice(1) };
}

/** A node's store with one partition, whose batches the spec takes and answers. */
export function openNode(model: GroupModel, own: Partial<RedisMembershipOptions> & { holder?: string } = {}) {
  const { holder = 'n1.1', ...options } = own;
  const views = new FollowingViews();
  const pokes: number[] = [];
  let isUp = true;
  const link: RedisMembershipOptions['link'] = {
    get isUp() {
      return isUp;
    },
    partitions: 1,
    run: (script, _partition, [, channel]) => {
      if (!isUp) return Promise.reject(new StoreAway('away'));
      const { subscriptions, users } = model.channel(String(channel));
      if (script === 'users') return Promise.resolve(['OK', ...users.keys()]);
      if (script === 'channel') return Promise.resolve(['OK', subscriptions, users.size]);
      const occupied = Object.entries(model.state());
      return Promise.resolve([
        'OK',
        ...occupied.flatMap(([name, { subscriptions: k, users: all }]) => [name, k, all.length]),
      ]);
    },
  };
  const store = new RedisMembershipStore({
    link,
    views,
    clock: systemClock,
    poke: (partition) => pokes.push(partition),
    wantsCounts: () => false,
    ...options,
  });
  const commit = (groups: readonly Group[]): void => {
    const toldBefore = model.told.length;
    const replies = model.apply(
      holder,
      groups.map(({ args }) => args),
    );
    for (const told of model.told.slice(toldBefore)) views.hear(told);
    for (const [i, group] of groups.entries()) group.answered(replies[i]!);
  };
  return {
    store,
    views,
    pokes,
    commit,
    /** One batch, taken and answered: the arguments of its groups. */
    send: (size = 64) => {
      const groups = store.take(0, size);
      const said = groups.map(({ args }) => args);
      commit(groups);
      return said;
    },
    /** Everything that waits. */
    drain: (size = 64) => {
      for (let i = 0; store.waiting(0).changes > 0; i++) {
        if (i > 10_000) throw new Error('it waits for ever');
        commit(store.take(0, size));
      }
    },
    setUp: (up: boolean) => {
      isUp = up;
    },
  };
}
