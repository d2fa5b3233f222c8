import { Ring } from '../flow/ring.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type {
  ChangeResult,
  ChannelSummary,
  Join,
  Leave,
  Member,
  MembershipAnnouncement,
  MembershipChange,
  MembershipSnapshot,
  MembershipStore,
} from './membership-store.ts';
import { SteadyMap } from './steady-map.ts';
import { TouchedChannels } from './touched-channels.ts';

interface Subscriber {
  readonly incarnation: number;
  readonly userId: string | undefined;
}

interface PresentUser {
  readonly member: Member;
  connections: number;
}

/** A channel with subscribers. */
interface ChannelState {
  version: number;
  readonly subscribers: SteadyMap<string, Subscriber>;
  readonly users: SteadyMap<string, PresentUser>;
}

/** What most changes of a storm are answered: one object for all of them. */
const left: ChangeResult = { kind: 'left', vacated: false };
const vacated: ChangeResult = { kind: 'left', vacated: true };
const ignored: ChangeResult = { kind: 'ignored' };

/**
 * Membership of one process. Every method is synchronous: state, version, announcement and lifecycle events change in one
 * step.
 */
export class MemoryMembershipStore implements MembershipStore {
  readonly #apps = new Map<string, Map<string, ChannelState>>();
  readonly #announce: (announcement: MembershipAnnouncement) => void;
  readonly #lifecycle: LifecycleRecorder;
  /** New channels start above every version a vacated one had: a late announcement never looks new. */
  #versionFloor = 0;
  readonly #toAnnounce = new Ring<MembershipAnnouncement>();
  #isAnnouncing = false;

  /**
   * @param announce Takes each announcement to the subscribers: the bus.
   * @param lifecycle Takes what changed to those outside: the outbox.
   */
  constructor(announce: (announcement: MembershipAnnouncement) => void, lifecycle: LifecycleRecorder) {
    this.#announce = announce;
    this.#lifecycle = lifecycle;
  }

  apply(changes: readonly MembershipChange[]): readonly ChangeResult[] {
    const touched = new TouchedChannels();
    const vacating: Leave[] = [];
    const results = changes.map((change) => {
      if (change.kind === 'join') return this.#join(change, touched);
      const result = this.#leave(change, touched);
      if (result === vacated) vacating.push(change);
      return result;
    });
    for (const leave of vacating) this.#forgetIfEmpty(leave);
    this.#announceInOrder(touched.announcements());
    for (const { appId, channel, count } of touched.counts()) this.#lifecycle.counted(appId, channel, count);
    return results;
  }

  snapshot(appId: string, channel: string): MembershipSnapshot {
    const state = this.#apps.get(appId)?.get(channel);
    if (state === undefined) return { version: 0, members: [] };
    return { version: state.version, members: Array.from(state.users.values(), (user) => user.member) };
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

  /** Who is told something can end a connection, and so be the cause of the next change: that one is announced behind this. */
  #announceInOrder(announcements: readonly MembershipAnnouncement[]): void {
    for (const announcement of announcements) this.#toAnnounce.push(announcement);
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    try {
      for (let next = this.#toAnnounce.shift(); next !== undefined; next = this.#toAnnounce.shift()) {
        this.#announce(next);
      }
    } finally {
      this.#isAnnouncing = false;
    }
  }

  #join(join: Join, touched: TouchedChannels): ChangeResult {
    const { appId, channel, member } = join;
    const state = this.#stateOf(appId, channel);
    const previous = state.subscribers.get(join.socketId);
    if (isFull(state, join, previous)) return { kind: 'full' };

    const occupied = state.subscribers.size === 0;
    if (occupied) this.#lifecycle.occupied(appId, channel);
    if (previous !== undefined) this.#drop(join, state, previous.userId, touched);
    state.subscribers.set(join.socketId, { incarnation: join.incarnation, userId: member?.userId });
    if (member !== undefined && isFirstConnection(state, member)) {
      touched.of(join, state).added(member);
      this.#lifecycle.memberAdded(appId, channel, member.userId);
    }
    if (join.counted && previous === undefined) touched.of(join, state).counted();
    return { kind: 'joined', version: state.version, occupied };
  }

  #leave(leave: Leave, touched: TouchedChannels): ChangeResult {
    const { appId, channel } = leave;
    const state = this.#apps.get(appId)?.get(channel);
    const subscriber = state?.subscribers.get(leave.socketId);
    if (state === undefined || subscriber?.incarnation !== leave.incarnation) return ignored;

    state.subscribers.delete(leave.socketId);
    this.#drop(leave, state, subscriber.userId, touched);
    if (leave.counted) touched.of(leave, state).counted();
    if (state.subscribers.size > 0) return left;
    this.#lifecycle.vacated(appId, channel);
    return vacated;
  }

  /** At the end of the call that vacated it: a channel that is occupied again within the call is still the same one. */
  #forgetIfEmpty({ appId, channel }: Leave): void {
    const channels = this.#apps.get(appId);
    const state = channels?.get(channel);
    if (channels === undefined || state === undefined || state.subscribers.size > 0) return;
    this.#versionFloor = Math.max(this.#versionFloor, state.version);
    channels.delete(channel);
    if (channels.size === 0) this.#apps.delete(appId);
  }

  /** Takes one connection of the user away, and the user with the last. */
  #drop(
    change: MembershipChange,
    state: ChannelState,
    userId: string | undefined,
    touched: TouchedChannels,
  ): void {
    const present = userId === undefined ? undefined : state.users.get(userId);
    if (userId === undefined || present === undefined || --present.connections > 0) return;
    state.users.delete(userId);
    touched.of(change, state).removed(userId);
    this.#lifecycle.memberRemoved(change.appId, change.channel, userId);
  }

  #stateOf(appId: string, channel: string): ChannelState {
    let channels = this.#apps.get(appId);
    if (channels === undefined) {
      channels = new Map<string, ChannelState>();
      this.#apps.set(appId, channels);
    }
    let state = channels.get(channel);
    if (state === undefined) {
      state = { version: this.#versionFloor, subscribers: new SteadyMap(), users: new SteadyMap() };
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

/** Counts the connection. Later ones keep the first one's user_info. */
function isFirstConnection(state: ChannelState, member: Member): boolean {
  const present = state.users.get(member.userId);
  if (present === undefined) state.users.set(member.userId, { member, connections: 1 });
  else present.connections++;
  return present === undefined;
}

function summaryOf(channel: string, state: ChannelState): ChannelSummary {
  return { channel, subscriptions: state.subscribers.size, users: state.users.size };
}
