import type { AnewCause } from './seat.ts';

/** What a node has done since it started. */
export interface ClusterCounts {
  /** Batches that the store applied, and the changes in them; replayed ones not among them. */
  batches: number;
  changes: number;
  /** Batches written again because the store had lost them. */
  replays: number;
  /** How often this node began anew in a partition. */
  begunAnew: Record<AnewCause, number>;
  /** Dead holders of a partition of which this node removed the last entry. */
  reapedHolders: number;
  firedDeadlines: number;
  /** Scripts that were answered, and how long that took in all, the way to the store included. */
  scripts: number;
  scriptMs: number;
}

export function newCounts(): ClusterCounts {
  return {
    batches: 0,
    changes: 0,
    replays: 0,
    begunAnew: { fenced: 0, wiped: 0, lost: 0 },
    reapedHolders: 0,
    firedDeadlines: 0,
    scripts: 0,
    scriptMs: 0,
  };
}
