import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { OutboxEvent } from './outbox-event.ts';

/** How far an event has come on its way to one endpoint. */
export type DeliveryState = 'pending' | 'recorded' | 'delivered' | 'dead';

export interface ArchivedDelivery {
  readonly endpointId: string;
  readonly state: DeliveryState;
  /** Of the batch it is recorded in. */
  readonly batchId?: string;
  readonly failures?: number;
  readonly lastFailure?: string;
}

/** An event within retention, and how far it has come with each endpoint of its app that takes it. */
export interface ArchivedEvent {
  readonly event: OutboxEvent;
  readonly deliveries: readonly ArchivedDelivery[];
}

/** Every condition that is given has to hold. */
export interface ArchiveQuery {
  readonly appId: string;
  readonly endpointId?: string;
  readonly id?: string;
  readonly channel?: string;
  /** First moment, included. */
  readonly fromMs?: number;
  /** Last moment, included. */
  readonly toMs?: number;
  readonly state?: DeliveryState;
}

/** One endpoint's backlog. */
export interface Backlog {
  readonly appId: string;
  readonly endpointId: string;
  /** False for one that is in no configuration any more. */
  readonly isOpen: boolean;
  /** Events not delivered: pending and recorded. */
  readonly events: number;
  readonly bytes: number;
  /** When the oldest of them entered; undefined when there is none. */
  readonly oldestAtMs: number | undefined;
  readonly deadLetters: number;
  /** Events that folding left out since the start. */
  readonly coalesced: number;
}

/** What was and what waits, for operators (R10). */
export interface Archive {
  backlogs(): MaybePromise<readonly Backlog[]>;
  /** Oldest first, at most `limit`. */
  list(query: ArchiveQuery, limit: number): MaybePromise<readonly ArchivedEvent[]>;
  /**
   * Sends the matching events again, under their own ids in a new batch, dead letters included; without an endpoint, to
   * every endpoint that takes them. Answers how many were put on replay lanes: at most `limit`.
   */
  replay(query: ArchiveQuery, limit: number): MaybePromise<number>;
}
