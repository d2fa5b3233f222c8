/** The kinds that R1 to R4 speak of: contiguous `seq` per channel, strictly alternating. */
export type LifecycleKind = 'channel_occupied' | 'channel_vacated' | 'member_added' | 'member_removed';

/** Every kind of event an endpoint can ask for (protocol.md 8). */
export type EventKind = LifecycleKind | 'client_event' | 'cache_miss' | 'subscription_count';

/** Why a lifecycle event was told, where it was not plainly what happened. */
export type EventCause = 'node_lost' | 'reconciled' | 'snapshot';

interface Told {
  /** Unique and stable: the same event has it in every request, from every node. */
  readonly id: string;
  readonly appId: string;
  readonly channel: string;
  /** When it entered the outbox. */
  readonly atMs: number;
}

/** A channel or a member came or went. */
export interface LifecycleEvent extends Told {
  readonly kind: LifecycleKind;
  /** `member_added` and `member_removed` only. */
  readonly userId?: string;
  /** Changes when the channel's `seq` starts again. */
  readonly epoch: string;
  /** 1, 2, 3, … among the lifecycle events of the channel in this epoch. */
  readonly seq: number;
  readonly cause?: EventCause;
}

export interface ClientEventTold extends Told {
  readonly kind: 'client_event';
  readonly event: string;
  readonly data: string;
  readonly socketId: string;
  /** Presence channels: who sent it. */
  readonly userId?: string;
}

export interface CacheMissTold extends Told {
  readonly kind: 'cache_miss';
}

export interface SubscriptionCountTold extends Told {
  readonly kind: 'subscription_count';
  readonly subscriptionCount: number;
}

/**
 * Stands for events that a full backlog left out, because they cancelled each other or were older than what the cap has
 * room for. For lifecycle events the range of their `seq`; other kinds have none.
 */
export interface CoalescedRange extends Told {
  readonly kind: 'spillway_coalesced';
  readonly epoch?: string;
  readonly fromSeq?: number;
  readonly toSeq?: number;
  /** Events left out. */
  readonly count: number;
}

export type OutboxEvent =
  | LifecycleEvent
  | ClientEventTold
  | CacheMissTold
  | SubscriptionCountTold
  | CoalescedRange;

type New<E> = E extends Told ? Omit<E, 'id' | 'atMs'> : never;

/** What stages put into the outbox; lifecycle events and counts get in by the membership step alone. */
export type NewOutboxEvent = New<ClientEventTold> | New<CacheMissTold>;

const lifecycleKinds: ReadonlySet<string> = new Set<LifecycleKind>([
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
]);

export function isLifecycle(event: OutboxEvent): event is LifecycleEvent {
  return lifecycleKinds.has(event.kind);
}
