import type { Group } from '../cluster/group-source.ts';
import type { Clock } from '../flow/clock.ts';
import { Recent } from '../flow/recent.ts';
import type { SignIn } from './signed-in-users.ts';

interface User {
  readonly appId: string;
  readonly userId: string;
}

/** A user of whom the store has something to hear. */
interface PendingUser extends User {
  /** What happened to "is signed in here", in turn: 1 came, 0 went. Undefined: the store is told what is true, whatever it knows. */
  ops: '1' | '0' | '10' | '01' | undefined;
  /** The store has never heard that the user is here. */
  isNew: boolean;
  /** Gone, and told once more as having come and gone. */
  isRetold: boolean;
  /** Somebody waits who signs in. */
  isUrgent: boolean;
  readonly waiters: (() => void)[];
}

interface PartitionUsersOptions {
  readonly clock: Clock;
  readonly announces: (appId: string) => boolean;
  /** Calls that may wait. */
  readonly maxWaiting: number;
}

const givenUpForMs = 30_000;
const maxGivenUp = 10_000;

/** The signed-in users of one partition: on which connections here, and what the store has yet to hear of them. */
export class PartitionUsers {
  readonly #options: PartitionUsersOptions;
  readonly #connections = new Map<string, Set<string>>();
  readonly #pending = new Map<string, PendingUser>();
  /** Who waits for what was taken last of a user. */
  readonly #underWay = new Map<string, (() => void)[]>();
  readonly #givenUp: Recent<User>;
  #urgent = 0;
  #waiting = 0;
  #isAway = false;
  #overflows = 0;

  constructor(options: PartitionUsersOptions) {
    this.#options = options;
    this.#givenUp = new Recent(options.clock, givenUpForMs, maxGivenUp);
  }

  get pending(): number {
    return this.#pending.size;
  }

  get overflows(): number {
    return this.#overflows;
  }

  isHere(appId: string, userId: string): boolean {
    return this.#connections.has(keyOf({ appId, userId }));
  }

  /** Undefined: nobody has to wait for the store. */
  apply(changes: readonly SignIn[]): Promise<void> | undefined {
    for (const change of changes) this.#change(change);
    if (this.#isAway) return undefined;
    const awaited = new Set<(() => void)[]>();
    for (const change of changes) {
      const waiters = this.#waitersOf(change);
      if (waiters !== undefined) awaited.add(waiters);
    }
    if (awaited.size === 0) return undefined;
    if (this.#waiting >= this.#options.maxWaiting) {
      this.#overflows++;
      return undefined;
    }
    return this.#waitFor(awaited);
  }

  waiting(): { readonly changes: number; readonly isUrgent: boolean } {
    if (this.#isAway) return { changes: 0, isUrgent: false };
    return { changes: this.#pending.size, isUrgent: this.#urgent > 0 };
  }

  take(room: number): readonly Group[] {
    if (this.#isAway) return [];
    const groups: Group[] = [];
    for (const [key, user] of this.#pending) {
      if (groups.length >= room) break;
      this.#forget(key, user);
      groups.push(this.#groupOf(key, user));
    }
    return groups;
  }

  /** Whoever waits is answered. The store is told what is true then, and not what happened. */
  away(): void {
    this.#isAway = true;
    for (const waiters of this.#underWay.values()) answer(waiters);
    this.#underWay.clear();
    for (const [key, user] of this.#pending) {
      answer(user.waiters);
      if (user.ops === undefined) continue;
      user.isNew = user.ops.startsWith('1');
      user.ops = undefined;
      if (user.isNew && !this.#connections.has(key)) this.#forget(key, user);
    }
  }

  returned(): void {
    this.#isAway = false;
  }

  assertAll(isWiped: boolean): void {
    for (const key of this.#connections.keys()) this.#assert(userOf(key));
    for (const user of isWiped ? this.#givenUp.values() : []) this.#assert(user).isRetold = true;
  }

  #change(change: SignIn): void {
    const key = keyOf(change);
    const connections = this.#connections.get(key) ?? new Set<string>();
    const wasHere = connections.size > 0;
    if (change.kind === 'sign-in') connections.add(change.socketId);
    else connections.delete(change.socketId);
    const isHere = connections.size > 0;
    if (isHere) this.#connections.set(key, connections);
    else this.#connections.delete(key);
    if (wasHere === isHere) return;
    if (!isHere) this.#givenUp.add(key, userOf(key));
    this.#note(key, isHere);
  }

  /** The user came, or went. */
  #note(key: string, isHere: boolean): void {
    const known = this.#pending.get(key);
    const next = isHere ? '1' : '0';
    if (known === undefined) {
      this.#pending.set(key, {
        ...userOf(key),
        ...{
          ops: this.#isAway ? undefined : next,
          isNew: isHere,
          isRetold: false,
          isUrgent: false,
          waiters: [],
        },
      });
      return;
    }
    // Of one who came and went unheard nothing is told.
    if (this.#isAway && known.isNew && !isHere) this.#forget(key, known);
    else if (known.ops !== undefined) known.ops = followedBy(known.ops, next);
  }

  /** Who is told when the store has heard the last of the user. */
  #waitersOf(change: SignIn): (() => void)[] | undefined {
    const key = keyOf(change);
    const pending = this.#pending.get(key);
    if (pending === undefined) return this.#underWay.get(key);
    if (change.kind === 'sign-in' && !pending.isUrgent) {
      pending.isUrgent = true;
      this.#urgent++;
    }
    return pending.waiters;
  }

  #waitFor(awaited: ReadonlySet<(() => void)[]>): Promise<void> {
    this.#waiting++;
    return new Promise((resolve) => {
      let left = awaited.size;
      const told = (): void => {
        if (--left > 0) return;
        this.#waiting--;
        resolve();
      };
      for (const waiters of awaited) waiters.push(told);
    });
  }

  #groupOf(key: string, user: PendingUser): Group {
    const { appId, userId, ops, isRetold, waiters } = user;
    const isHere = this.#connections.has(key);
    const gone = isRetold ? '10' : '0';
    const steps = ops ?? (isHere ? '1' : gone);
    this.#underWay.set(key, waiters);
    return {
      args: ['s', appId, userId, steps, this.#options.announces(appId) ? 1 : 0],
      changes: 1,
      answered: () => {
        if (this.#underWay.get(key) === waiters) this.#underWay.delete(key);
        answer(waiters);
      },
    };
  }

  #assert(user: User): PendingUser {
    const key = keyOf(user);
    const base = { ops: undefined, isNew: false, isRetold: false, isUrgent: false, waiters: [] };
    const pending = this.#pending.get(key) ?? { ...user, ...base };
    pending.ops = undefined;
    pending.isNew = false;
    this.#pending.set(key, pending);
    return pending;
  }

  #forget(key: string, user: PendingUser): void {
    this.#pending.delete(key);
    if (user.isUrgent) this.#urgent--;
  }
}

function answer(waiters: (() => void)[]): void {
  for (const told of waiters.splice(0)) told();
}

/** Two in turn that undo each other leave their trace, a third takes it back. */
function followedBy(ops: '1' | '0' | '10' | '01', next: '1' | '0'): '1' | '0' | '10' | '01' {
  if (ops === '1') return '10';
  return ops === '0' ? '01' : next;
}

/** App ids hold no colon, user ids may. */
function keyOf({ appId, userId }: User): string {
  return `${appId}:${userId}`;
}

function userOf(key: string): User {
  const at = key.indexOf(':');
  return { appId: key.slice(0, at), userId: key.slice(at + 1) };
}
