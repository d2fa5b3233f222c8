import type { MaybePromise } from '../flow/maybe-promise.ts';

/** Connections of each app, for all nodes. Every `acquire` that was granted is released exactly once. */
export interface ConnectionQuota {
  /** Counts a connection if the app has fewer than `limit`; 0 means no limit. */
  acquire(appId: string, limit: number): MaybePromise<boolean>;
  /** Never fails. */
  release(appId: string, count: number): MaybePromise<void>;
}
