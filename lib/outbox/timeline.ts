import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { LifecycleEvent } from './outbox-event.ts';

/** A user of a presence channel as endpoints were told, with the `seq` of its `member_added`. */
export interface TimelineMember {
  readonly userId: string;
  readonly seq: number;
}

/** A channel that endpoints were told is occupied. */
export interface TimelineChannel {
  readonly channel: string;
  readonly epoch: string;
  /** Of its last lifecycle event. */
  readonly seq: number;
  readonly members: readonly TimelineMember[];
}

export interface TimelineSnapshot {
  readonly channels: readonly TimelineChannel[];
  /** Where the stream goes on: `after` for `lifecycleAfter`. */
  readonly position: string;
}

export interface TimelinePage {
  readonly events: readonly LifecycleEvent[];
  /** `after` for the next page. */
  readonly position: string;
  /** Whether there is more already. */
  readonly hasMore: boolean;
}

/** What was told of the lifecycle: a snapshot, and the stream that joins it without a gap (R10). */
export interface Timeline {
  lifecycleSnapshot(appId: string): MaybePromise<TimelineSnapshot>;
  /**
   * The lifecycle events behind a position, per channel in order of `seq`. `gone`: the position is from before what is
   * still kept, or from another store; take a snapshot again. `off`: the app has no endpoint, so no events are kept.
   */
  lifecycleAfter(appId: string, position: string, limit: number): MaybePromise<TimelinePage | 'gone' | 'off'>;
}
