import type { Lane, LaneContent, PendingEvent, RecordedBatch } from '../outbox/outbox.ts';
import type { OutboxEvent } from '../outbox/outbox-event.ts';
import type { WebhookEndpoint } from './endpoint.ts';

/** A lane's turn: it holds one of its endpoint's slots until the schedule is told how it ended. */
export interface LaneTurn {
  readonly lane: Lane;
  readonly endpoint: WebhookEndpoint;
  /** Tells the turns of a lane apart: what the schedule hears of one that has ended is ignored. */
  readonly number: number;
}

/** What was read for a turn. */
export interface TurnRead extends LaneTurn {
  readonly content: LaneContent;
  /** Whether nothing is behind what was read. */
  readonly isAll: boolean;
}

/** The events that make up the next batch, already only those the endpoint takes. */
export interface TurnChosen extends TurnRead {
  readonly chosen: readonly [PendingEvent, ...PendingEvent[]];
  /** Where the lane goes on: behind the chosen events and those in between that the endpoint does not take. */
  readonly upTo: number;
  /** The chosen events as they will be sent. */
  readonly ready: WebhookReady;
}

/** A batch about to be recorded: what stages in `webhook:ready` see, and may change the payloads of. */
export interface WebhookReady {
  readonly appId: string;
  readonly endpointId: string;
  /** As they will be sent, oldest first. `id`, `seq`, `prev_seq`, `epoch`, `name` and `channel` have to stay. */
  readonly events: readonly WebhookPayload[];
}

/** One event of a webhook body, in Pusher's shape (protocol.md 8). */
export interface WebhookPayload {
  readonly name: OutboxEvent['kind'];
  readonly channel: string;
  readonly [field: string]: unknown;
}

/** A recorded batch whose time has come. */
export interface DueBatch extends LaneTurn {
  readonly batch: RecordedBatch;
}
