import type { Occupancy } from '../support/journal-problems.ts';
import { type ChannelName, graceMs, users } from './steps.ts';

export type Turn = 'came' | 'left';

/** A channel or a member as endpoints are told of it: coming at once, leaving after the grace unless it came back. */
class Presence {
  readonly told: Turn[] = [];
  readonly #sockets = new Set<number>();
  #leavesAtMs: number | undefined;

  get isPresent(): boolean {
    return this.#sockets.size > 0;
  }

  join(socket: number): void {
    if (!this.isPresent && this.#leavesAtMs === undefined) this.told.push('came');
    this.#leavesAtMs = undefined;
    this.#sockets.add(socket);
  }

  leave(socket: number, nowMs: number): void {
    if (this.#sockets.delete(socket) && !this.isPresent) this.#leavesAtMs = nowMs + graceMs;
  }

  /** What is due by now is told. */
  elapse(nowMs: number): void {
    if (this.#leavesAtMs === undefined || this.#leavesAtMs > nowMs) return;
    this.told.push('left');
    this.#leavesAtMs = undefined;
  }
}

/** The whole truth about who is where, in a page: what the product's deliveries are compared with. */
export class Model {
  readonly #presences = new Map<string, Presence>();
  /** Subscriptions by socket. */
  readonly #subscriptions = new Map<number, Set<ChannelName>>();

  channelsOf(socket: number): readonly ChannelName[] {
    return [...(this.#subscriptions.get(socket) ?? [])];
  }

  isIn(socket: number, channel: ChannelName): boolean {
    return this.#subscriptions.get(socket)?.has(channel) ?? false;
  }

  join(socket: number, channel: ChannelName, nowMs: number): void {
    this.elapse(nowMs);
    const channels = this.#subscriptions.get(socket) ?? new Set();
    this.#subscriptions.set(socket, channels.add(channel));
    for (const presence of this.#touched(socket, channel)) presence.join(socket);
  }

  leave(socket: number, channel: ChannelName, nowMs: number): void {
    this.elapse(nowMs);
    if (this.#subscriptions.get(socket)?.delete(channel) !== true) return;
    for (const presence of this.#touched(socket, channel)) presence.leave(socket, nowMs);
  }

  close(socket: number, nowMs: number): void {
    for (const channel of this.channelsOf(socket)) this.leave(socket, channel, nowMs);
  }

  elapse(nowMs: number): void {
    for (const presence of this.#presences.values()) presence.elapse(nowMs);
  }

  /** A graceful stop sends everybody away and tells at once what waits for a return. */
  stop(nowMs: number): void {
    for (const socket of this.#subscriptions.keys()) this.close(socket, nowMs);
    this.elapse(Number.POSITIVE_INFINITY);
  }

  /** What is to be told of each channel and member of an app: `plain`, `presence-a`, `presence-a ann`. */
  toldOf(app: 1 | 2): Readonly<Record<string, readonly Turn[]>> {
    const mine = [...this.#presences].filter(([key]) => key.startsWith(`${app} `));
    return Object.fromEntries(mine.map(([key, { told }]) => [key.slice(2), told]));
  }

  /** Who is there now. */
  occupancyOf(app: 1 | 2): Occupancy {
    const present = [...this.#presences]
      .filter(([key, { isPresent }]) => isPresent && key.startsWith(`${app} `))
      .map(([key]) => key.slice(2).split(' '))
      .sort();
    const occupancy: Record<string, string[]> = {};
    for (const [channel = '', user] of present) {
      const members = (occupancy[channel] ??= []);
      if (user !== undefined) members.push(user);
    }
    return occupancy;
  }

  #touched(socket: number, channel: ChannelName): readonly Presence[] {
    const user = channel === 'plain' ? undefined : users[socket];
    const key = `${appOf(socket)} ${channel}`;
    return [this.#presence(key), ...(user === undefined ? [] : [this.#presence(`${key} ${user}`)])];
  }

  #presence(key: string): Presence {
    let presence = this.#presences.get(key);
    if (presence === undefined) {
      presence = new Presence();
      this.#presences.set(key, presence);
    }
    return presence;
  }
}

export function appOf(socket: number): 1 | 2 {
  return socket < users.length ? 1 : 2;
}
