import { EndpointState } from './endpoint-state.ts';
import { EventLog } from './event-log.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { LaneState } from './lane-state.ts';
import type { Lane, LaneWork, OutboxEndpoint, RecordedBatch } from '../outbox.ts';
import type { LifecycleEvent, OutboxEvent } from '../outbox-event.ts';
import type { OutboxHooks } from './outbox-hooks.ts';
import { partitionOf } from '../../cluster/partition.ts';
import { dropPassed, relieve } from './relief.ts';

export interface AppOutboxOptions {
  readonly appId: string;
  readonly partitions: number;
  readonly maxBytes: number;
  readonly retainMs: number;
  readonly newId: () => string;
  readonly hooks: OutboxHooks;
  readonly onWork: (work: LaneWork) => void;
}

/** Events given up or let go in one step. */
const atOnce = 64;

/** The logs and the endpoints of one app. */
export class AppOutbox {
  readonly appId: string;
  readonly logs: readonly EventLog[];
  readonly held: HeldBytes = { bytes: 0 };
  readonly #options: AppOutboxOptions;
  readonly #endpoints = new Map<string, EndpointState>();

  constructor(options: AppOutboxOptions) {
    this.appId = options.appId;
    this.logs = Array.from({ length: options.partitions }, () => new EventLog(this.held));
    this.#options = options;
  }

  /** Configured and retired ones. */
  get endpoints(): Iterable<EndpointState> {
    return this.#endpoints.values();
  }

  get hasEndpoints(): boolean {
    return this.#endpoints.size > 0;
  }

  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /** Entries in the logs, the delivered ones that are still kept among them. */
  get entries(): number {
    return this.logs.reduce((entries, { first, end }) => entries + end - first, 0);
  }

  endpoint(id: string): EndpointState | undefined {
    return this.#endpoints.get(id);
  }

  lane({ endpointId, partition }: Lane): LaneState | undefined {
    return this.#endpoints.get(endpointId)?.laneAt(partition);
  }

  wants(kind: OutboxEvent['kind'], channel: string): boolean {
    if (kind === 'spillway_coalesced') return false;
    return [...this.#endpoints.values()].some((one) => one.isOpen && one.takes(kind, channel));
  }

  append(event: OutboxEvent): void {
    const partition = partitionOf(event.appId, event.channel, this.logs.length);
    this.logs[partition]?.append(event);
    this.relieve();
    for (const endpoint of this.#endpoints.values()) {
      const lane = endpoint.lanes[partition];
      if (endpoint.isOpen && lane !== undefined) this.#tellWork(lane);
    }
  }

  /** Takes up an event of an earlier process; lanes are placed afterwards. */
  restore(event: OutboxEvent): void {
    this.logs[partitionOf(event.appId, event.channel, this.logs.length)]?.append(event);
  }

  /** These are configured, others are not. New ones begin with `snapshot`. */
  open(configured: readonly OutboxEndpoint[], snapshot: () => Iterable<LifecycleEvent>, nowMs: number): void {
    const ids = new Set(configured.map(({ id }) => id));
    for (const endpoint of this.#endpoints.values()) if (!ids.has(endpoint.id)) endpoint.retire(nowMs);
    for (const one of configured) {
      const known = this.#endpoints.get(one.id);
      const endpoint = known ?? this.add(one.id);
      endpoint.open(one);
      if (known === undefined) this.#begin(endpoint, snapshot());
    }
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.isOpen) for (const lane of endpoint.allLanes) this.tellMore(lane);
    }
  }

  add(id: string): EndpointState {
    const { appId, maxBytes, newId } = this.#options;
    const parts = { appId, id, logs: this.logs, held: this.held, maxDeadLetterBytes: maxBytes, newId };
    const endpoint = new EndpointState(parts);
    this.#endpoints.set(id, endpoint);
    return endpoint;
  }

  /** The lane goes on when there is something. */
  tellMore(lane: LaneState): void {
    if (lane.pending > 0 || lane.batches.next !== undefined) this.#tellWork(lane);
  }

  /** Keeps events as dead letters; whoever gave them up tells of it. */
  bury(
    endpoint: EndpointState,
    events: readonly OutboxEvent[],
    reason: string,
    nowMs: number,
    batch?: RecordedBatch,
  ): void {
    this.#tellExpired(endpoint, endpoint.bury(events, reason, nowMs, batch));
  }

  /** Gives up what waited too long and lets go what was kept long enough, in short steps. */
  *expire(nowMs: number): Iterable<void> {
    const beforeMs = nowMs - this.#options.retainMs;
    for (const endpoint of [...this.#endpoints.values()]) {
      if (endpoint.closedAtMs !== undefined && endpoint.closedAtMs < beforeMs) this.#forgetEndpoint(endpoint);
      else yield* this.#expireEndpoint(endpoint, beforeMs, nowMs);
    }
    while (dropPassed(this, atOnce, (atMs) => atMs < beforeMs)) yield;
  }

  /** A channel's epoch ended. */
  endEpoch(channel: string, epoch: string): void {
    const partition = partitionOf(this.appId, channel, this.logs.length);
    for (const { lanes } of this.#endpoints.values()) {
      lanes[partition]?.endEpoch(channel, epoch);
    }
  }

  relieve(): void {
    if (this.held.bytes <= this.maxBytes) return;
    const before = Array.from(this.#endpoints.values(), ({ coalesced }) => coalesced);
    relieve(this);
    const { appId, hooks } = this.#options;
    for (const [index, { id, coalesced }] of [...this.#endpoints.values()].entries()) {
      const events = coalesced - (before[index] ?? 0);
      if (events > 0) hooks.onCoalesced?.({ appId, endpointId: id, events });
    }
  }

  #begin(endpoint: EndpointState, snapshot: Iterable<LifecycleEvent>): void {
    for (const event of snapshot) {
      endpoint.lanes[partitionOf(event.appId, event.channel, this.logs.length)]?.fold.add(event);
    }
  }

  *#expireEndpoint(endpoint: EndpointState, beforeMs: number, nowMs: number): Iterable<void> {
    for (const lane of endpoint.allLanes) {
      for (const batch of lane.batches.all) {
        // Taken meanwhile: it is not there any more.
        const old = lane.isOlder(batch, beforeMs) ? lane.batches.remove(batch.id) : undefined;
        if (old !== undefined) this.#giveUp(endpoint, old.events, nowMs, old);
        yield;
      }
      let old: readonly OutboxEvent[];
      do {
        old = lane.takeOlder(beforeMs, atOnce);
        const meant = old.filter((event) => isFor(endpoint, event));
        this.#giveUp(endpoint, meant, nowMs);
        yield;
      } while (old.length === atOnce);
    }
    let gone: number;
    do {
      gone = endpoint.deadLetters.expire(beforeMs, atOnce);
      this.#tellExpired(endpoint, gone);
      yield;
    } while (gone === atOnce);
  }

  #giveUp(
    endpoint: EndpointState,
    events: readonly OutboxEvent[],
    nowMs: number,
    batch?: RecordedBatch,
  ): void {
    if (events.length === 0) return;
    const { appId, hooks, retainMs } = this.#options;
    const reason = `not delivered within ${(retainMs / 3_600_000).toString()} h`;
    hooks.onDeadLettered?.({ appId, endpointId: endpoint.id, events: events.length, reason });
    this.bury(endpoint, events, reason, nowMs, batch);
  }

  #forgetEndpoint(endpoint: EndpointState): void {
    this.#endpoints.delete(endpoint.id);
    for (const { fold, batches } of endpoint.lanes) this.held.bytes -= fold.bytes + batches.bytes;
    this.held.bytes -= endpoint.replay.batches.bytes;
    this.#tellExpired(endpoint, endpoint.undelivered + endpoint.deadLetters.size);
  }

  #tellExpired({ id }: EndpointState, events: number): void {
    const { appId, hooks } = this.#options;
    if (events > 0) hooks.onExpired?.({ appId, endpointId: id, events });
  }

  #tellWork({ lane, pending }: LaneState): void {
    this.#options.onWork({ lane, pending });
  }
}

/** Whether the endpoint asked for it; ranges are for everybody. */
export function isFor(endpoint: EndpointState, { kind, channel }: OutboxEvent): boolean {
  return kind === 'spillway_coalesced' || endpoint.takes(kind, channel);
}
