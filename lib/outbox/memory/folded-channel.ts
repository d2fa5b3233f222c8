import { type EventKind, isLifecycle, type LifecycleEvent, type OutboxEvent } from '../outbox-event.ts';
import type { RangeSum } from './range-sum.ts';

/** What the fold knows of one channel. */
export interface FoldedChannel {
  readonly name: string;
  /** The endpoint takes no lifecycle kind of it. */
  readonly isUntold: boolean;
  /** The kept event of each thing that toggles or is replaced: the channel, its beginning anew, each user, the count, the cache miss. */
  readonly latest: Map<string, OutboxEvent>;
  kept: number;
  /** What was left out, per epoch; without an epoch under ''. */
  readonly leftOut: Map<string, RangeSum>;
}

const lifecycleKinds = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'] as const;

export function toFolded(name: string, takes: (kind: EventKind, channel: string) => boolean): FoldedChannel {
  const isUntold = !lifecycleKinds.some((kind) => takes(kind, name));
  return { name, isUntold, latest: new Map(), kept: 0, leftOut: new Map() };
}

/** The channel is occupied without members from here on, whatever was told of it before: what follows is all that is true. */
export function beginsAnew({ kind, ...event }: OutboxEvent): boolean {
  return kind === 'channel_occupied' && 'cause' in event && event.cause === 'reconciled';
}

/** What is told with the event already: its opposite; everything that was, when the channel begins anew. */
export function overtakenBy(event: LifecycleEvent, { latest }: FoldedChannel): readonly OutboxEvent[] {
  if (beginsAnew(event)) return [...latest.values()].filter(isLifecycle);
  const opposite = latest.get(toggleOf(event));
  return opposite === undefined ? [] : [opposite];
}

/** Events with the same one cancel each other, or the later stands for the earlier. */
export function toggleOf(event: OutboxEvent): string {
  if (!isLifecycle(event)) return event.kind;
  if (beginsAnew(event)) return 'anew';
  return event.userId === undefined ? 'channel' : `user ${event.userId}`;
}
