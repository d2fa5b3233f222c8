import { DeadLetters } from './dead-letters.ts';
import type { EventLog } from './event-log.ts';
import { Fold } from './fold.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { LaneState } from './lane-state.ts';
import { LogLane } from './log-lane.ts';
import type { Lane, OutboxEndpoint, RecordedBatch } from '../outbox.ts';
import type { EventKind, OutboxEvent } from '../outbox-event.ts';
import { RecordedBatches } from './recorded-batches.ts';
import { ReplayLane } from './replay-lane.ts';

export interface EndpointParts {
  readonly appId: string;
  readonly id: string;
  readonly logs: readonly EventLog[];
  readonly held: HeldBytes;
  readonly maxDeadLetterBytes: number;
  readonly newId: () => string;
}

/** An endpoint that is configured, or was within the retention: its lanes, and what it could not be told. */
export class EndpointState {
  readonly id: string;
  readonly lanes: readonly LogLane[];
  readonly replay: ReplayLane;
  readonly deadLetters: DeadLetters;
  /** Undefined: it is configured. Before the first `open` after a restart nobody is. */
  closedAtMs: number | undefined;
  #configured: OutboxEndpoint | undefined;

  constructor({ appId, id, logs, held, maxDeadLetterBytes, newId }: EndpointParts) {
    this.id = id;
    const takes = (kind: EventKind, channel: string): boolean => this.takes(kind, channel);
    const laneOf = (partition: Lane['partition']): Lane => ({ appId, endpointId: id, partition });
    this.lanes = logs.map(
      (log, partition) =>
        new LogLane({
          lane: laneOf(partition),
          log,
          fold: new Fold({ appId, held, newId, takes }),
          batches: new RecordedBatches(held),
        }),
    );
    this.deadLetters = new DeadLetters(maxDeadLetterBytes);
    this.replay = new ReplayLane(laneOf('replay'), new RecordedBatches(held), (events) => {
      for (const event of events) this.deadLetters.remove(event.id);
    });
  }

  get isOpen(): boolean {
    return this.#configured !== undefined;
  }

  /** Whether it asked for such events; one that is not configured may come back and ask for anything. */
  takes(kind: EventKind, channel: string): boolean {
    return this.#configured?.takes(kind, channel) ?? true;
  }

  open(endpoint: OutboxEndpoint): void {
    this.#configured = endpoint;
    this.closedAtMs = undefined;
  }

  retire(nowMs: number): void {
    this.#configured = undefined;
    this.closedAtMs ??= nowMs;
  }

  laneAt(partition: Lane['partition']): LaneState | undefined {
    return partition === 'replay' ? this.replay : this.lanes[partition];
  }

  get allLanes(): readonly LaneState[] {
    return [...this.lanes, this.replay];
  }

  /** Events that folding left out since the start. */
  get coalesced(): number {
    return this.lanes.reduce((events, { fold }) => events + fold.leftOut, 0);
  }

  get undelivered(): number {
    return this.lanes.reduce((events, lane) => events + lane.undelivered, 0);
  }

  get bytes(): number {
    return this.lanes.reduce((bytes, lane) => bytes + lane.bytes, 0);
  }

  get oldestAtMs(): number | undefined {
    const times = this.lanes.flatMap(({ oldestAtMs }) => oldestAtMs ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Keeps events it could not be told; answers how many older ones had to go for them. */
  bury(events: readonly OutboxEvent[], reason: string, nowMs: number, batch?: RecordedBatch): number {
    const sent = { failures: batch?.failures ?? 0, ...(batch === undefined ? {} : { batchId: batch.id }) };
    return events.reduce(
      (gone, event) => gone + this.deadLetters.add({ event, reason, atMs: nowMs, ...sent }),
      0,
    );
  }
}
