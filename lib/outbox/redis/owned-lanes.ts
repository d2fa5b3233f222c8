import { type Observable, Subject } from 'rxjs';
import { type Lane, laneKey, type LaneWork } from '../outbox.ts';
import { partitionOf } from '../../cluster/partition.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { LaneFacts } from './lane-store.ts';
import type { PartitionBacklog } from './partition-store.ts';

/** The lanes of one partition, as its owner knows them. */
interface OwnedPartition {
  /** Whether its backlogs were read since it was taken. */
  isLoaded: boolean;
  /** Nothing of it was told since it was taken. */
  isTaken: boolean;
  /** By app: number of the last entry. */
  readonly heads: Map<string, number>;
  readonly lanes: Map<string, Pick<LaneFacts, 'position' | 'folded'>>;
  /** Lanes that had something to send when too little was left of the lease. */
  readonly withheld: Map<string, Lane>;
}

/** What this node owns: which of its lanes have work, as far as it was told. */
export class OwnedLanes {
  readonly work$: Observable<LaneWork>;
  readonly #work = new Subject<LaneWork>();
  readonly #endpoints: EndpointList;
  readonly #partitions: number;
  readonly #owned = new Map<number, OwnedPartition>();

  constructor(endpoints: EndpointList, partitions: number) {
    this.#endpoints = endpoints;
    this.#partitions = partitions;
    this.work$ = this.#work.asObservable();
  }

  get owned(): readonly number[] {
    return [...this.#owned.keys()];
  }

  isOwned(partition: number): boolean {
    return this.#owned.has(partition);
  }

  isLoaded(partition: number): boolean {
    return this.#owned.get(partition)?.isLoaded === true;
  }

  /** By app: number of the last entry. */
  headsOf(partition: number): ReadonlyMap<string, number> {
    return this.#owned.get(partition)?.heads ?? new Map();
  }

  take(partition: number): void {
    const nothing = { heads: new Map(), lanes: new Map(), withheld: new Map() };
    this.#owned.set(partition, { isLoaded: false, isTaken: true, ...nothing });
  }

  give(partition: number): void {
    this.#owned.delete(partition);
  }

  /** The backlogs are about to be read: what is told of heads from here on counts, and nothing from before. */
  reload(partition: number): void {
    const owned = this.#owned.get(partition);
    if (owned === undefined) return;
    owned.isLoaded = false;
    owned.heads.clear();
    owned.lanes.clear();
  }

  /** The backlogs were read: everything that waits is told. */
  load(partition: number, backlogs: readonly PartitionBacklog[]): void {
    const owned = this.#owned.get(partition);
    if (owned === undefined) return;
    const taken = owned.isTaken ? ({ isTaken: true } as const) : {};
    owned.isLoaded = true;
    owned.isTaken = false;
    for (const backlog of backlogs) {
      const { appId, endpointId, recorded, replays, hasReplayBatch } = backlog;
      const lane = { appId, endpointId, partition };
      const head = Math.max(backlog.head, owned.heads.get(appId) ?? 0);
      const pending = backlog.pending + head - backlog.head;
      owned.heads.set(appId, head);
      owned.lanes.set(laneKey(lane), backlog);
      if (pending > 0 || recorded > 0) this.#tell(lane, pending, taken);
      if (replays > 0 || hasReplayBatch) this.#tell({ ...lane, partition: 'replay' }, replays, taken);
    }
  }

  /** Entries were appended; answers whether that was not known yet. */
  noteHead(partition: number, appId: string, head: number): boolean {
    const owned = this.#owned.get(partition);
    if (owned === undefined || head <= (owned.heads.get(appId) ?? 0)) return false;
    owned.heads.set(appId, head);
    for (const { id: endpointId } of this.#endpoints.ofApp(appId)) {
      const lane = { appId, endpointId, partition };
      const facts = owned.lanes.get(laneKey(lane));
      if (facts !== undefined) this.#tell(lane, facts.folded + head - facts.position);
    }
    return true;
  }

  /** The store said this of the lane. */
  note(lane: Lane, facts: LaneFacts): void {
    if (lane.partition === 'replay') return;
    this.#owned.get(lane.partition)?.lanes.set(laneKey(lane), facts);
  }

  /** The lane goes on when there is something. */
  tellMore(lane: Lane, { pending, hasBatch }: LaneFacts): void {
    if (pending > 0 || hasBatch) this.#tell(lane, pending);
  }

  /** The lane is not sent now; unless the partition goes to another node, it has its turn after the next renewal. */
  withhold(lane: Lane, partition: number): void {
    this.#owned.get(partition)?.withheld.set(laneKey(lane), lane);
  }

  tellWithheld(partition: number): void {
    const withheld = this.#owned.get(partition)?.withheld;
    const lanes = [...(withheld?.values() ?? [])];
    withheld?.clear();
    for (const lane of lanes) this.#tell(lane, 1);
  }

  tellReplay(partition: number, appId: string, endpointId: string, pending: number): void {
    const isHere = partitionOf(appId, endpointId, this.#partitions) === partition;
    if (isHere && this.#owned.has(partition)) this.#tell({ appId, endpointId, partition: 'replay' }, pending);
  }

  #tell(lane: Lane, pending: number, taken: Pick<LaneWork, 'isTaken'> = {}): void {
    if (this.#endpoints.isOpen(lane.appId, lane.endpointId)) this.#work.next({ lane, pending, ...taken });
  }
}
