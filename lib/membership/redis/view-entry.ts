import type { HeardChange } from './announcement-text.ts';
import { ChannelView, type ViewKind } from './channel-view.ts';
import { SnapshotWaiters } from './snapshot-waiters.ts';

/** One channel that is listened to: what is known of it, and how its reading stands. */
export interface ViewEntry {
  readonly appId: string;
  readonly channel: string;
  readonly view: ChannelView;
  readonly waiters: SnapshotWaiters;
  reading: 'no' | 'queued' | 'under way';
  /** It has to be read once more: something was missed since this reading began. */
  isAgain: boolean;
  /** This node changed the channel by itself since this reading began: what is read is older. */
  isOutrun: boolean;
  /** It has to be read when the store is back. */
  isStale: boolean;
  /** Heard while it is read. */
  held: HeardChange[];
}

export function newEntry(kind: ViewKind): ViewEntry {
  const { appId, channel } = kind;
  const state = { reading: 'no', isAgain: false, isOutrun: false, isStale: false } as const;
  return { appId, channel, view: new ChannelView(kind), waiters: new SnapshotWaiters(), ...state, held: [] };
}
