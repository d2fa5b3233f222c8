import type { MaybePromise } from '../flow/maybe-promise.ts';

export interface CachedEvent {
  readonly event: string;
  readonly data: string;
}

export interface RecalledEvent extends CachedEvent {
  /** Seconds until it is forgotten, at least 1. */
  readonly ttlSeconds: number;
}

/** The last event published over HTTP to each cache channel. It outlives the channel's subscribers (protocol.md 3.4). */
export interface CachedEvents {
  remember(appId: string, channel: string, event: CachedEvent): MaybePromise<void>;
  /** Undefined when there is none, or it is too old. */
  recall(appId: string, channel: string): MaybePromise<RecalledEvent | undefined>;
}
