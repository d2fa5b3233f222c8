import type { HeardChange } from './announcement-text.ts';
import type { ChannelView } from './channel-view.ts';
import type { SnapshotWaiters } from './snapshot-waiters.ts';

/** One channel that is listened to: what is known of it, and how its reading stands. */
export interface ViewEntry {
  readonly appId: string;
  readonly channel: string;
  readonly view: ChannelView;
  readonly waiters: SnapshotWaiters;
  reading: 'no' | 'queued' | 'under way';
  /** It has to be read once more: something was missed since this reading began. */
  isAgain: boolean;
  /** It has to be read when the store is back. */
  isStale: boolean;
  /** Heard while it is read. */
  held: HeardChange[];
}
