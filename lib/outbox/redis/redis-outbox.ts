import type { Observable } from 'rxjs';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { Clock } from '../../flow/clock.ts';
import type { StoreLink } from '../../redis/store-link.ts';
import type { ArchivedEvent, ArchiveQuery, Backlog } from '../archive.ts';
import type { OutboxHooks } from '../memory/outbox-hooks.ts';
import {
  type BatchFailure,
  type Lane,
  type LaneContent,
  type LaneWork,
  type NewBatch,
  type Outbox,
  type OutboxEndpoint,
} from '../outbox.ts';
import type { EventKind, NewOutboxEvent } from '../outbox-event.ts';
import type { TimelinePage, TimelineSnapshot } from '../timeline.ts';
import { AttemptsUnderWay } from './attempts-under-way.ts';
import { BacklogRelief } from './backlog-relief.ts';
import { DeadLetterBox } from './dead-letter-box.ts';
import { EndpointList } from './endpoint-list.ts';
import { EventAppender } from './event-appender.ts';
import { type LaneFacts, LaneStore } from './lane-store.ts';
import { OwnedLanes } from './owned-lanes.ts';
import { OwnerDuties } from './owner-duties.ts';
import { PartitionStore } from './partition-store.ts';
import { RedisArchive } from './redis-archive.ts';
import { RedisTimeline } from './redis-timeline.ts';
import { Retention } from './retention.ts';
import { Upkeep } from './upkeep.ts';

export interface RedisOutboxOptions extends OutboxHooks {
  readonly link: StoreLink;
  readonly node: ClusterNode;
  readonly clock: Clock;
  readonly retainMs: number;
  /** Of each app's backlog, and of each endpoint's dead letters; every partition has an even share of both. */
  readonly maxBytesPerApp: number;
  /** How long an endpoint has to answer. */
  readonly timeoutMs: number;
  /** An event found no room while the store was away. */
  readonly onDropped?: (told: { readonly appId: string; readonly events: number }) => void;
  /** Something that nobody waits for failed, and not because the store was away. */
  readonly onUpkeepFailed?: (error: unknown) => void;
}

/** Events that wait for the store to take them. */
const maxWaitingEvents = 10_000;
const maxWaitingBytes = 16_777_216;
/** So much of the lease has to be left behind the end of an attempt. */
const leaseReserveMs = 1_000;

const nothing: LaneContent = { batch: undefined, events: [], sent: new Map(), token: 0 };

/** The outbox that all nodes share. Each partition's owner reads, records and settles; everybody appends and asks. */
export class RedisOutbox implements Outbox {
  readonly work$: Observable<LaneWork>;
  readonly #options: RedisOutboxOptions;
  readonly #endpoints = new EndpointList();
  readonly #upkeep: Upkeep;
  readonly #lanes: LaneStore;
  readonly #owned: OwnedLanes;
  readonly #letters: DeadLetterBox;
  readonly #duties: OwnerDuties;
  readonly #appender: EventAppender;
  readonly #archive: RedisArchive;
  readonly #timeline: RedisTimeline;
  readonly #underWay: AttemptsUnderWay;
  #ids = 0;

  /** Registers itself with the node: before the node opens. */
  constructor(options: RedisOutboxOptions) {
    const { link, node, clock, retainMs, maxBytesPerApp, timeoutMs } = options;
    const count = link.partitions;
    const maxBytes = maxBytesPerApp / count;
    const endpoints = this.#endpoints;
    const newId = (): string => `${node.nodeId}-${++this.#ids}`;
    const upkeep = new Upkeep((error) => options.onUpkeepFailed?.(error));
    const partitions = new PartitionStore(link, node);
    const lanes = new LaneStore({ link, node, maxLetterBytes: maxBytes });
    const owned = new OwnedLanes(endpoints, count);
    const letters = new DeadLetterBox(lanes, count, options);
    const parts = { lanes, partitions, owned, endpoints, upkeep, letters, clock };
    const relief = new BacklogRelief({ ...parts, maxBytes, newId, hooks: options });
    const retention = new Retention({ ...parts, retainMs, hooks: options });
    this.#options = options;
    this.#upkeep = upkeep;
    this.#lanes = lanes;
    this.#owned = owned;
    this.#letters = letters;
    this.work$ = owned.work$;
    this.#archive = new RedisArchive({ ...parts, count });
    this.#timeline = new RedisTimeline(link);
    this.#underWay = new AttemptsUnderWay(timeoutMs + leaseReserveMs);
    const onListed = (partition: number): void => this.#appender.release(partition);
    this.#duties = new OwnerDuties({ ...parts, link, node, relief, retention, onListed });
    this.#appender = new EventAppender({
      partitions: count,
      maxEvents: maxWaitingEvents,
      maxBytes: maxWaitingBytes,
      newId,
      isToldTo: (appId) => endpoints.isToldTo(appId),
      poke: (partition) => node.poke(partition),
      onDropped: (appId) => options.onDropped?.({ appId, events: 1 }),
      onBegunAnew: (partition) => this.#duties.listAgain(partition),
      onLost: (partition) => this.#duties.listAgain(partition),
    });
    node.addSource(this.#appender);
  }

  /** For gauges: events that wait for the store, and partitions that are this node's. */
  get size(): {
    readonly waitingEvents: number;
    readonly waitingBytes: number;
    readonly ownedPartitions: number;
  } {
    const { events, bytes } = this.#appender;
    return { waitingEvents: events, waitingBytes: bytes, ownedPartitions: this.#owned.owned.length };
  }

  /** Whether an endpoint of this node's configuration is told of such events of the channel. */
  wants(kind: EventKind, appId: string, channel: string): boolean {
    return this.#endpoints.ofApp(appId).some((endpoint) => endpoint.takes(kind, channel));
  }

  /** Whether no attempt of a lane of the partition is under way here: another node may have it. */
  mayGive(partition: number): boolean {
    return this.#underWay.isAtRest(partition);
  }

  /** Fulfilled when nothing is under way that nobody waits for. */
  idle(): Promise<void> {
    return this.#upkeep.idle();
  }

  async open(endpoints: readonly OutboxEndpoint[]): Promise<void> {
    this.#endpoints.open(endpoints);
    await this.#duties.open();
  }

  /** Fulfilled when everything that the store has by now for this node's lanes was told by `work$`. */
  async settle(): Promise<void> {
    if (this.#options.link.isUp) await this.#duties.catchUp();
  }

  /** Does nothing by itself any more. */
  close(): void {
    this.#duties.close();
  }

  append(events: readonly NewOutboxEvent[]): Promise<void> {
    return this.#appender.append(events);
  }

  begin(lane: Lane): boolean {
    const partition = this.#lanes.partitionOf(lane);
    const isHeld = this.#options.node.owns(partition, this.#options.timeoutMs + leaseReserveMs);
    if (isHeld) this.#underWay.begin(lane, partition);
    else this.#owned.withhold(lane, partition);
    return isHeld;
  }

  async read(lane: Lane, limit: number): Promise<LaneContent> {
    const reading = await this.#lanes.read(lane, limit);
    if (reading === undefined) return nothing;
    this.#owned.note(lane, reading);
    const { batch, events, sent, token } = reading;
    return { batch, events: events.map(({ event, position }) => ({ event, position })), sent, token };
  }

  async record(lane: Lane, token: number, upTo: number, batch: NewBatch): Promise<boolean> {
    return this.#note(lane, await this.#lanes.record(lane, token, upTo, batch)) !== undefined;
  }

  async skip(lane: Lane, token: number, upTo: number): Promise<boolean> {
    return this.#note(lane, await this.#lanes.skip(lane, token, upTo)) !== undefined;
  }

  async acknowledge(lane: Lane, batchId: string): Promise<void> {
    if (lane.partition === 'replay') await this.#forgetLetters(lane, batchId);
    const facts = this.#settled(lane, await this.#lanes.acknowledge(lane, batchId));
    if (facts !== undefined) this.#owned.tellMore(lane, facts);
  }

  async failed(lane: Lane, batchId: string, failure: BatchFailure): Promise<void> {
    this.#settled(lane, await this.#lanes.failed(lane, batchId, failure));
  }

  async split(lane: Lane, batchId: string, parts: readonly NewBatch[]): Promise<void> {
    const facts = this.#settled(lane, await this.#lanes.split(lane, batchId, parts));
    if (facts !== undefined) this.#owned.tellMore(lane, facts);
  }

  async deadLetter(lane: Lane, batchId: string, reason: string): Promise<void> {
    const batch = (await this.#lanes.read(lane, 0))?.batch;
    if (batch?.id !== batchId) return;
    const facts = this.#settled(lane, await this.#letters.giveUp(lane, batch, reason));
    if (facts !== undefined) this.#owned.tellMore(lane, facts);
  }

  backlogs(): Promise<readonly Backlog[]> {
    return this.#archive.backlogs();
  }

  list(query: ArchiveQuery, limit: number): Promise<readonly ArchivedEvent[]> {
    return this.#archive.list(query, limit);
  }

  replay(query: ArchiveQuery, limit: number): Promise<number> {
    return this.#archive.replay(query, limit);
  }

  lifecycleSnapshot(appId: string): Promise<TimelineSnapshot> {
    return this.#timeline.lifecycleSnapshot(appId);
  }

  lifecycleAfter(appId: string, position: string, limit: number): Promise<TimelinePage | 'gone' | 'off'> {
    return this.#timeline.lifecycleAfter(appId, position, limit);
  }

  /** While the batch is there: when the store goes away in between, this is done again with it. */
  async #forgetLetters(lane: Lane, batchId: string): Promise<void> {
    const batch = (await this.#lanes.read(lane, 0))?.batch;
    if (batch?.id === batchId) await this.#letters.forget(lane, batch.events);
  }

  #note<F extends LaneFacts>(lane: Lane, facts: F | undefined): F | undefined {
    if (facts !== undefined) this.#owned.note(lane, facts);
    return facts;
  }

  /** The attempt is over. */
  #settled<F extends LaneFacts>(lane: Lane, facts: F | undefined): F | undefined {
    this.#underWay.end(lane, this.#lanes.partitionOf(lane));
    return this.#note(lane, facts);
  }
}
