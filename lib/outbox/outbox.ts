import type { Observable } from 'rxjs';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { Archive } from './archive.ts';
import type { EventKind, NewOutboxEvent, OutboxEvent } from './outbox-event.ts';
import type { Timeline } from './timeline.ts';

/** Somebody who is told: a webhook endpoint of one app, known by its id across restarts. */
export interface OutboxEndpoint {
  readonly appId: string;
  readonly id: string;
  /** Whether it asked for events of this kind and channel. */
  takes(kind: EventKind, channel: string): boolean;
}

/**
 * One endpoint's way through one partition of its app: events of one channel are always on the same lane, and a lane has
 * one batch in flight, so the order of a channel's events is kept. The lane `replay` carries what was asked for again.
 */
export interface Lane {
  readonly appId: string;
  readonly endpointId: string;
  readonly partition: number | 'replay';
}

export function laneKey({ appId, endpointId, partition }: Lane): string {
  return `${appId} ${endpointId} ${partition}`;
}

/** A lane has something to send. */
export interface LaneWork {
  readonly lane: Lane;
  /** Events behind the lane's position, those included that the endpoint does not take. */
  readonly pending: number;
  /** The lane has come to this node: others may have sent of it meanwhile, and its endpoint may be well. */
  readonly isTaken?: true;
}

/** An event behind a lane's position. */
export interface PendingEvent {
  readonly event: OutboxEvent;
  /** Where it stands on the lane; later ones have higher numbers. */
  readonly position: number;
}

/** The last `seq` of a channel that an endpoint was sent and took. */
export interface SentSeq {
  readonly epoch: string;
  readonly seq: number;
}

/** A batch as it was recorded before its first attempt: every attempt sends these bytes under this id. */
export interface RecordedBatch {
  /** The `webhook-id`. */
  readonly id: string;
  readonly body: Buffer;
  readonly events: readonly OutboxEvent[];
  readonly createdAtMs: number;
  /** Attempts that failed so far. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
  /** Since when the endpoint refuses it with a 4xx, without interruption. */
  readonly refusedSinceMs: number | undefined;
  /** Made by splitting a refused batch: the next refusal is acted upon at once. */
  readonly isSplit: boolean;
}

export type NewBatch = Pick<RecordedBatch, 'id' | 'body' | 'events' | 'createdAtMs'>;

/** What a lane has for its endpoint. */
export interface LaneContent {
  /** Recorded and not acknowledged: nothing else is sent before it. */
  readonly batch: RecordedBatch | undefined;
  /** Otherwise: events behind the lane's position, oldest first. */
  readonly events: readonly PendingEvent[];
  /** For each channel of these events that the endpoint was sent something of: its last `seq`. */
  readonly sent: ReadonlyMap<string, SentSeq>;
  /** Names the state that was read, for `record` and `skip`. */
  readonly token: number;
}

export interface BatchFailure {
  /** For people: `503`, `no answer within 4000 ms`. */
  readonly reason: string;
  /** The endpoint answered 4xx: it does not want this batch (`refusedSinceMs`). */
  readonly isRefusal: boolean;
}

/**
 * What endpoints have yet to be told. Lifecycle events enter in the step that changes membership (`LifecycleRecorder`);
 * each endpoint reads at its own pace; what is recorded is sent until it is acknowledged or dead-lettered.
 *
 * - A lane's order is the order in which events entered.
 * - Backlogs have a cap in bytes per app (`webhooks.maxBacklogBytes`): delivered events go first, then what lies before a
 *   lane is folded, per channel, into the events that lead from the state its endpoint knows to the state that is, with a
 *   `spillway_coalesced` for what was left out. Nothing is dropped silently.
 * - An event that nobody could be told for `webhooks.retainHours` becomes a dead letter, kept as long again.
 * - An endpoint that opens for the first time, with its id unknown, begins with what is occupied now, as events of cause
 *   `snapshot` under their own ids and `seq`. The id of one that is configured no more is kept as long as events are.
 */
export interface Outbox extends Archive, Timeline {
  /** Lanes that have something to send, whenever something was added to them. */
  readonly work$: Observable<LaneWork>;
  /** The endpoints that are configured, all at once, before the first event. Their lanes with work are told by `work$`. */
  open(endpoints: readonly OutboxEndpoint[]): MaybePromise<void>;
  append(events: readonly NewOutboxEvent[]): MaybePromise<void>;
  /**
   * Begins to send the lane's batch, in the very step that asks, and answers whether it may: the lane is this node's own,
   * and stays so until an attempt that begins now has ended. What was begun is under way until it is settled.
   */
  begin(lane: Lane): boolean;

  read(lane: Lane, limit: number): MaybePromise<LaneContent>;
  /**
   * The batch is the lane's next one, and the lane goes on behind `upTo`. False: the lane has changed since it was read
   * (`token`); read again.
   */
  record(lane: Lane, token: number, upTo: number, batch: NewBatch): MaybePromise<boolean>;
  /** Goes on behind `upTo` without sending: the endpoint takes none of these. False as for `record`. */
  skip(lane: Lane, token: number, upTo: number): MaybePromise<boolean>;
  /** The endpoint has taken the batch. */
  acknowledge(lane: Lane, batchId: string): MaybePromise<void>;
  /** An attempt failed; the batch stays. */
  failed(lane: Lane, batchId: string, failure: BatchFailure): MaybePromise<void>;
  /** Puts several batches in the place of a refused one, to find the event that is refused. */
  split(lane: Lane, batchId: string, parts: readonly NewBatch[]): MaybePromise<void>;
  /** Gives the batch up: its events are kept as dead letters, and the lane goes on. */
  deadLetter(lane: Lane, batchId: string, reason: string): MaybePromise<void>;
}
