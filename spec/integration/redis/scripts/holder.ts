import type { ScriptName } from '../../../../lib/redis/script-names.ts';
import type { Reply } from '../../../../lib/redis/store-link.ts';
import { app, graceMs, leaseMs, retainMs, type ScriptStore } from './script-store.ts';

export type Group = readonly (string | number)[];

export interface UserSteps {
  readonly user: string;
  /** `1` came, `0` went, in this order. */
  readonly steps: string;
  readonly max?: number;
  readonly info?: string;
}

export const came = (user: string, options: Partial<UserSteps> = {}): UserSteps => ({
  user,
  steps: '1',
  ...options,
});
export const went = (user: string): UserSteps => ({ user, steps: '0' });

/** The holder now has `k` subscriptions; `steps` says what happened to its having any. */
export function inChannel(
  channel: string,
  k: number,
  steps: string,
  options: { readonly flags?: number; readonly users?: readonly UserSteps[]; readonly appId?: string } = {},
): Group {
  const users = options.users ?? [];
  const arguments_ = users.flatMap(({ user, steps: each, max, info }) => [user, each, max ?? 0, info ?? '-']);
  return ['c', options.appId ?? app, channel, k, steps, options.flags ?? 0, 0, users.length, ...arguments_];
}

export const signIn = (user: string, steps: string, flags = 1): Group => ['s', app, user, steps, flags];
export const event = (channel: string, kind: string, json: string): Group => ['e', app, channel, kind, json];

interface BatchOptions {
  readonly graceMs?: number;
  readonly retainMs?: number;
  readonly cause?: string;
  /** Default: the number after the last that was sent. */
  readonly batch?: number;
}

/** A node as the scripts see it. */
export class Holder {
  readonly name: string;
  storeId = '';
  gen = 0;
  /** The most that the store has said it had. */
  writes = 0;
  batch = 0;
  readonly #store: ScriptStore;

  constructor(store: ScriptStore, name: string) {
    this.#store = store;
    this.name = name;
  }

  /** The reply as it is; a new store gets the id `store-1` unless told otherwise. */
  async renew(
    options: {
      readonly storeId?: string;
      readonly lastAcked?: number;
      readonly partitions?: number;
      readonly newStoreId?: string;
      readonly knownGen?: number;
      readonly wants?: boolean;
      readonly gives?: boolean;
      readonly knownWrites?: number;
    } = {},
  ): Promise<readonly Reply[]> {
    const reply = await this.#store.run(
      'renew',
      this.name,
      options.storeId ?? this.storeId,
      options.lastAcked ?? this.batch,
      leaseMs,
      options.partitions ?? 16,
      options.newStoreId ?? 'store-1',
      options.knownGen ?? this.gen,
      options.wants === true ? 1 : 0,
      options.gives === true ? 1 : 0,
      options.knownWrites ?? this.writes,
    );
    if (reply[0] === 'OK') {
      this.storeId = String(reply[2]);
      this.gen = Number(reply[3]);
      this.writes = Number(reply[4]);
    }
    return reply;
  }

  /** What the last reply of `renew` says, by name. */
  async renewed(options: Parameters<Holder['renew']>[0] = {}): Promise<Renewed> {
    const reply = await this.renew(options);
    if (reply[0] !== 'OK') throw new Error(`not renewed: ${JSON.stringify(reply)}`);
    const lists = reply.slice(8);
    const live = lists.splice(0, Number(lists.shift())) as string[];
    const fenced = lists.splice(0, Number(lists.shift())) as string[];
    const heads = lists.splice(0, Number(lists.shift()) * 2) as string[];
    const [, nowMs, storeId, gen, writes, nextDeadline, owner, nextExpiry] = reply;
    return { nowMs, storeId, gen, writes, nextDeadline, owner, nextExpiry, live, fenced, heads } as Renewed;
  }

  apply(groups: readonly Group[], options: BatchOptions = {}): Promise<readonly Reply[]> {
    return this.#change(
      'apply',
      this.name,
      this.storeId,
      options.batch ?? ++this.batch,
      options.graceMs ?? graceMs,
      options.retainMs ?? retainMs,
      options.cause ?? '',
      groups.length,
      ...groups.flat(),
    );
  }

  /** Applies what has to succeed; answers the reply of each group. */
  async does(...groups: readonly Group[]): Promise<readonly Reply[]> {
    return this.doesWith({}, ...groups);
  }

  async doesWith(options: BatchOptions, ...groups: readonly Group[]): Promise<readonly Reply[]> {
    const [word, , ...replies] = await this.apply(groups, options);
    if (word !== 'OK') throw new Error(`not applied: ${String(word)}`);
    return replies;
  }

  fire(options: { readonly max?: number; readonly all?: boolean } = {}): Promise<readonly Reply[]> {
    const { max = 256, all = false } = options;
    return this.#change('fire', this.name, this.storeId, max, retainMs, all ? 1 : 0);
  }

  reap(
    other: string,
    options: { readonly max?: number; readonly graceMs?: number; readonly forcedCause?: string } = {},
  ): Promise<readonly Reply[]> {
    const { max = 256, graceMs: grace = graceMs, forcedCause } = options;
    const force = forcedCause === undefined ? 0 : 1;
    return this.#change(
      'reap',
      this.name,
      other,
      this.storeId,
      max,
      grace,
      retainMs,
      force,
      forcedCause ?? '',
    );
  }

  retire(): Promise<readonly Reply[]> {
    return this.#store.run('retire', this.name, this.storeId);
  }

  /** The reply up to its last item, which says how many writes the store has. */
  async #change(name: ScriptName, ...args: readonly (string | number)[]): Promise<readonly Reply[]> {
    const reply = await this.#store.run(name, ...args);
    if (reply[0] !== 'OK' && reply[0] !== 'DUP') return reply;
    this.writes = Math.max(this.writes, Number(reply.at(-1)));
    return reply.slice(0, -1);
  }
}

interface Renewed {
  readonly nowMs: number;
  readonly storeId: string;
  readonly gen: number;
  readonly writes: number;
  readonly nextDeadline: number;
  readonly owner: string;
  readonly nextExpiry: number;
  readonly live: readonly string[];
  readonly fenced: readonly string[];
  readonly heads: readonly string[];
}

/** Time goes on until only those who renew have a lease; who had one at first lost it a second ago. */
export async function outlive(store: ScriptStore, ...living: readonly Holder[]): Promise<void> {
  for (const isLast of [false, false, true]) {
    store.shiftMs += 3_000;
    if (!isLast) await Promise.all(living.map((holder) => holder.renew()));
  }
}

/** Holders with a lease each, in an empty partition. */
export async function openHolders(store: ScriptStore, ...names: readonly string[]): Promise<Holder[]> {
  await store.reset();
  const holders = names.map((name) => new Holder(store, name));
  for (const holder of holders) await holder.renew();
  return holders;
}
