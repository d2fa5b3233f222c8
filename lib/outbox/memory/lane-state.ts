import type { Lane, LaneContent, NewBatch, PendingEvent, RecordedBatch, SentSeq } from '../outbox.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import type { RecordedBatches } from './recorded-batches.ts';

/** A lane's own: which events lie before it, and how it goes on behind them. */
export interface LaneState {
  readonly lane: Lane;
  readonly batches: RecordedBatches;
  /** Raised whenever what was read may be something else now. */
  readonly token: number;
  /** Events that are not recorded. */
  readonly pending: number;
  read(limit: number): readonly PendingEvent[];
  sentOf(events: readonly OutboxEvent[]): ReadonlyMap<string, SentSeq>;
  /** Goes on behind `upTo`. */
  advance(upTo: number): void;
  /** Whether the batch, which the endpoint has not taken, waits since before `beforeMs`. */
  isOlder(batch: RecordedBatch, beforeMs: number): boolean;
  /** Takes away what waits since before `beforeMs`, at most `limit` events, the oldest first. */
  takeOlder(beforeMs: number, limit: number): readonly OutboxEvent[];
  /** The endpoint took these. */
  took(events: readonly OutboxEvent[]): void;
}

export function contentOf(state: LaneState, limit: number): LaneContent {
  const { token } = state;
  const batch = state.batches.next;
  if (batch !== undefined) return { batch, events: [], sent: new Map(), token };
  const events = state.read(limit);
  return { batch, events, sent: state.sentOf(events.map(({ event }) => event)), token };
}

/** False: the lane has changed since it was read, or has a batch already. */
export function goOn(state: LaneState, token: number, upTo: number, batch?: NewBatch): boolean {
  if (state.token !== token || state.batches.next !== undefined) return false;
  state.advance(upTo);
  if (batch !== undefined) state.batches.add(batch);
  return true;
}
