import type { Join, Leave, Member, MembershipChange } from '../membership-store.ts';
import type { GivenUp } from './given-up.ts';

/** One connection's subscription. */
interface Subscriber {
  readonly incarnation: number;
  readonly userId: string | undefined;
}

export interface Held {
  readonly incarnation: number;
  readonly member: Member | undefined;
}

interface LocalUser {
  readonly member: Member;
  connections: number;
}

/** Hears what a change does to what this node has of a channel. */
export interface Transitions {
  channelUp?(): void;
  channelDown?(): void;
  /** `maxMembers`: users the channel may have with this one; 0 means no limit. */
  userUp(member: Member, maxMembers: number): void;
  userDown(member: Member): void;
}

/** A channel as far as it is this node's: its own subscribers and their users. */
export class LocalChannel {
  readonly appId: string;
  readonly name: string;
  readonly key: string;
  readonly subscribers = new Map<string, Subscriber>();
  readonly users = new Map<string, LocalUser>();
  /** Whether its subscribers are told the number of subscriptions, as the last change had it. */
  isCounted = false;
  /** Its subscriptions as the store was last told. */
  toldCount = 0;
  /** The highest version the store answered. */
  answeredVersion = 0;
  /** Of the subscriptions that the batch under way counts, those that the store refused. */
  refusedInBatch = 0;
  readonly #givenUp: GivenUp;
  /** Users whose join the store has not decided, each with the one connection that brings it. */
  readonly #undecided = new Map<string, string>();
  /** The one among them whose connection gets back what it had if it is refused. */
  #replacing: string | undefined;

  constructor(appId: string, name: string, givenUp: GivenUp) {
    this.appId = appId;
    this.name = name;
    this.key = keyOf({ appId, name });
    this.#givenUp = givenUp;
  }

  get members(): readonly Member[] {
    return Array.from(this.users.values(), ({ member }) => member);
  }

  join(
    { socketId, incarnation, member, maxMembers }: Omit<Join, 'kind' | 'counted'>,
    told: Transitions,
  ): void {
    const previous = this.subscribers.get(socketId);
    // Whoever is here already always may join again, also in place of itself.
    const limit = member !== undefined && this.users.has(member.userId) ? 0 : maxMembers;
    if (this.subscribers.size === 0) told.channelUp?.();
    this.#drop(previous?.userId, told);
    this.subscribers.set(socketId, { incarnation, userId: member?.userId });
    if (member === undefined) return;
    const present = this.users.get(member.userId);
    if (present !== undefined) {
      present.connections++;
      return;
    }
    this.users.set(member.userId, { member, connections: 1 });
    told.userUp(member, limit);
  }

  /** False: the leave names an incarnation that is not there. */
  leave({ socketId, incarnation }: Pick<Leave, 'socketId' | 'incarnation'>, told: Transitions): boolean {
    const subscriber = this.subscribers.get(socketId);
    if (subscriber?.incarnation !== incarnation) return false;
    this.subscribers.delete(socketId);
    this.#drop(subscriber.userId, told);
    if (this.subscribers.size > 0) return true;
    this.#givenUp.add(this.appId, this.name);
    told.channelDown?.();
    return true;
  }

  /** What a connection has, to give it back. */
  heldBy({ incarnation, userId }: Subscriber): Held {
    return { incarnation, member: userId === undefined ? undefined : this.users.get(userId)?.member };
  }

  /** The user whose last connection here would be gone with the change. */
  userThatGoes(change: MembershipChange): string | undefined {
    const held = this.subscribers.get(change.socketId);
    if (held?.userId === undefined) return undefined;
    if (change.kind === 'leave' && held.incarnation !== change.incarnation) return undefined;
    return this.users.get(held.userId)?.connections === 1 ? held.userId : undefined;
  }

  /** Whether the store decides: there is a limit, and the user is not here. */
  isForStoreToDecide({ member, maxMembers }: Join): boolean {
    return member !== undefined && maxMembers > 0 && !this.users.has(member.userId);
  }

  /** Whether the change can only be made once the store has decided: it depends on a user who may be refused. */
  hasToWait(change: MembershipChange): boolean {
    if (this.#undecided.size === 0) return false;
    if (this.#replacing !== undefined) return true;
    const held = this.subscribers.get(change.socketId);
    if (held?.userId !== undefined && this.#undecided.get(held.userId) === change.socketId) return true;
    const userId = change.kind === 'join' ? change.member?.userId : undefined;
    if (userId !== undefined && this.#undecided.has(userId)) return true;
    // The last one that is certain: whether anybody is left is not known without the store.
    const goes = held !== undefined && (change.kind === 'join' || held.incarnation === change.incarnation);
    return goes && this.subscribers.size - this.#undecided.size === 1;
  }

  get isUndecided(): boolean {
    return this.#undecided.size > 0;
  }

  /** The store decides about the user, whom this connection brings. */
  awaitDecision(userId: string, socketId: string, isReplacing: boolean): void {
    this.#undecided.set(userId, socketId);
    if (isReplacing) this.#replacing = userId;
  }

  /** The user is in. */
  accept(userId: string): void {
    this.#undecided.delete(userId);
    if (this.#replacing === userId) this.#replacing = undefined;
  }

  /** Nobody waits for the store. */
  acceptAll(): void {
    this.#undecided.clear();
    this.#replacing = undefined;
  }

  /** The user is not in, and its connection is not in the channel. */
  refuse(userId: string): void {
    const socketId = this.#undecided.get(userId);
    if (socketId === undefined) return;
    this.accept(userId);
    this.subscribers.delete(socketId);
    this.users.delete(userId);
    this.toldCount--;
  }

  #drop(userId: string | undefined, told: Transitions): void {
    const present = userId === undefined ? undefined : this.users.get(userId);
    if (userId === undefined || present === undefined || --present.connections > 0) return;
    this.users.delete(userId);
    this.#givenUp.add(this.appId, this.name, present.member);
    told.userDown(present.member);
  }
}

export function keyOf({ appId, name }: { readonly appId: string; readonly name: string }): string {
  return `${appId}:${name}`;
}
