import type {
  ChangeResult,
  ChannelSummary,
  Join,
  Leave,
  Member,
  MembershipAnnouncement,
  MembershipChange,
  MembershipStore,
} from './membership-store.ts';

interface Subscriber {
  readonly incarnation: number;
  readonly userId: string | undefined;
}

interface PresentUser {
  readonly member: Member;
  connections: number;
}

interface ChannelState {
  version: number;
  readonly subscribers: Map<string, Subscriber>;
  readonly users: Map<string, PresentUser>;
}

/** Membership of one process. Every method is synchronous: state, version and announcement change in one step. */
export class MemoryMembershipStore implements MembershipStore {
  readonly #apps = new Map<string, Map<string, ChannelState>>();
  readonly #announce: (announcement: MembershipAnnouncement) => void;
  /** New channels start above every version a vacated one had: a late announcement never looks new. */
  #versionFloor = 0;

  /** @param announce Takes each announcement to the subscribers: the bus. */
  constructor(announce: (announcement: MembershipAnnouncement) => void) {
    this.#announce = announce;
  }

  apply(changes: readonly MembershipChange[]): readonly ChangeResult[] {
    return changes.map((change) => (change.kind === 'join' ? this.#join(change) : this.#leave(change)));
  }

  channels(appId: string, prefix: string): readonly ChannelSummary[] {
    const summaries: ChannelSummary[] = [];
    for (const [channel, state] of this.#apps.get(appId) ?? []) {
      if (channel.startsWith(prefix)) summaries.push(summaryOf(channel, state));
    }
    return summaries;
  }

  channel(appId: string, channel: string): ChannelSummary | undefined {
    const state = this.#apps.get(appId)?.get(channel);
    return state === undefined ? undefined : summaryOf(channel, state);
  }

  users(appId: string, channel: string): readonly string[] {
    return [...(this.#apps.get(appId)?.get(channel)?.users.keys() ?? [])];
  }

  #join(join: Join): ChangeResult {
    const state = this.#stateOf(join.appId, join.channel);
    const previous = state.subscribers.get(join.socketId);
    if (isFull(state, join, previous)) return { kind: 'full' };

    const occupied = state.subscribers.size === 0;
    const removed = previous === undefined ? undefined : dropUser(state, previous.userId);
    state.subscribers.set(join.socketId, { incarnation: join.incarnation, userId: join.member?.userId });
    const added = join.member === undefined ? undefined : addUser(state, join.member);
    const countChanged = join.counted && previous === undefined;
    this.#publish(join, state, countChanged, removed, added);
    return { kind: 'joined', version: state.version, members: membersOf(state), occupied };
  }

  #leave(leave: Leave): ChangeResult {
    const channels = this.#apps.get(leave.appId);
    const state = channels?.get(leave.channel);
    const subscriber = state?.subscribers.get(leave.socketId);
    if (state === undefined || subscriber?.incarnation !== leave.incarnation) return { kind: 'ignored' };

    state.subscribers.delete(leave.socketId);
    const removed = dropUser(state, subscriber.userId);
    this.#publish(leave, state, leave.counted, removed, undefined);
    const vacated = state.subscribers.size === 0;
    if (vacated) {
      this.#versionFloor = Math.max(this.#versionFloor, state.version);
      channels?.delete(leave.channel);
      if (channels?.size === 0) this.#apps.delete(leave.appId);
    }
    return { kind: 'left', vacated };
  }

  #publish(
    change: MembershipChange,
    state: ChannelState,
    countChanged: boolean,
    removed: string | undefined,
    added: Member | undefined,
  ): void {
    if (removed === undefined && added === undefined && !countChanged) return;
    state.version++;
    this.#announce({
      appId: change.appId,
      channel: change.channel,
      version: state.version,
      removed: removed === undefined ? [] : [removed],
      added: added === undefined ? [] : [added],
      ...(countChanged ? { subscriptionCount: state.subscribers.size } : {}),
    });
  }

  #stateOf(appId: string, channel: string): ChannelState {
    let channels = this.#apps.get(appId);
    if (channels === undefined) {
      channels = new Map<string, ChannelState>();
      this.#apps.set(appId, channels);
    }
    let state = channels.get(channel);
    if (state === undefined) {
      state = { version: this.#versionFloor, subscribers: new Map(), users: new Map() };
      channels.set(channel, state);
    }
    return state;
  }
}

function isFull(state: ChannelState, join: Join, previous: Subscriber | undefined): boolean {
  if (join.member === undefined || join.maxMembers === 0 || state.users.has(join.member.userId)) return false;
  const leaving = previous?.userId === undefined ? undefined : state.users.get(previous.userId);
  return state.users.size - (leaving?.connections === 1 ? 1 : 0) >= join.maxMembers;
}

/** Answers the member when this is the user's first connection. Later ones keep the first one's user_info. */
function addUser(state: ChannelState, member: Member): Member | undefined {
  const present = state.users.get(member.userId);
  if (present !== undefined) {
    present.connections++;
    return undefined;
  }
  state.users.set(member.userId, { member, connections: 1 });
  return member;
}

/** Answers the user's id when this was the user's last connection. */
function dropUser(state: ChannelState, userId: string | undefined): string | undefined {
  if (userId === undefined) return undefined;
  const present = state.users.get(userId);
  if (present === undefined || --present.connections > 0) return undefined;
  state.users.delete(userId);
  return userId;
}

function membersOf(state: ChannelState): readonly Member[] {
  return Array.from(state.users.values(), (user) => user.member);
}

function summaryOf(channel: string, state: ChannelState): ChannelSummary {
  return { channel, subscriptions: state.subscribers.size, users: state.users.size };
}
