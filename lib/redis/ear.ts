import type { Redis } from 'ioredis';
import type { Topic } from './store-link.ts';

export interface Entry {
  readonly topic: Topic;
  readonly channel: string;
  isWanted: boolean;
  /** The session its SUBSCRIBE was sent in, as the last word about it. */
  sentIn: Session | undefined;
  isConfirmed: boolean;
  waiters: (() => void)[];
}

/** One life of a connection: what was subscribed in it ends with it. */
export interface Session {
  /** What was listened to when it began and is not confirmed yet. */
  readonly restoring: Set<Entry>;
  /** Something may have been missed before it. */
  isAfterGap: boolean;
}

/** One connection that listens. */
export interface Ear {
  readonly redis: Redis;
  session: Session | undefined;
  hasListened: boolean;
  lastHeardAtMs: number;
  isAsked: boolean;
}

export function untilReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve();
  return new Promise((resolve) => redis.once('ready', () => resolve()));
}

export function confirmation(entry: Entry): Promise<void> {
  if (entry.isConfirmed) return Promise.resolve();
  return new Promise((resolve) => entry.waiters.push(resolve));
}

export function release(entry: Entry): void {
  const waiters = entry.waiters;
  entry.waiters = [];
  for (const resolve of waiters) resolve();
}

export function end({ redis }: Ear): void {
  redis.removeAllListeners();
  redis.on('error', () => undefined);
  redis.disconnect();
}
