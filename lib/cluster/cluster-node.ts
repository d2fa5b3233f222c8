import type { Observable } from 'rxjs';
import type { GroupSource } from './group-source.ts';

/** A partition has come to this node, or has gone from it. */
export interface OwnershipChange {
  readonly partition: number;
  readonly isOwned: boolean;
}

export interface PartitionHeads {
  readonly partition: number;
  /** Another one than before: the store has lost something. */
  readonly generation: number;
  /** By app; empty unless the partition is this node's. */
  readonly heads: ReadonlyMap<string, number>;
}

/**
 * This node's part in the cluster: its leases, the batches it writes, the partitions it owns, the dead it reaps.
 */
export interface ClusterNode {
  readonly nodeId: string;
  /** Registers a source of changes; before `open`. */
  addSource(source: GroupSource): void;
  /** A source has something for the partition. */
  poke(partition: number): void;
  /** Under which name the node writes to the partition: its id and an incarnation, `n7f3.2`. */
  holderOf(partition: number): string;
  /** Whether it owns the partition and its lease lasts `forMs` longer, by this process's own monotonic clock. */
  owns(partition: number, forMs?: number): boolean;
  readonly ownership$: Observable<OwnershipChange>;
  /** Of each partition, with each renewal: its generation; of owned ones the number of each app's last outbox entry. What a lost wake-up did not say. */
  readonly heads$: Observable<PartitionHeads>;
  /** How many live nodes share the partition, this one included, as it was last told; 1 while the store is away. */
  liveNodes(partition: number): number;
  /** Fires every deadline of the partitions where no other node is alive. */
  settle(): Promise<void>;
  open(): Promise<void>;
  /** Gives leases and ownership back. Everything is settled before. */
  close(): Promise<void>;
}
