import type { EventEntry } from '../event-entry.ts';

/** This node among others: leases, names, partitions. A partition of 0 to `cluster.partitions` - 1 each. */
export const clusterEvents = {
  'cluster.begun-anew': {
    level: 'warn',
    doc: 'This node writes to a partition under a new name and tells it again what it holds: `fenced`, others took it for dead; `wiped`, the store came back empty; `lost`, the store lost more than this node remembers.',
    limited: true,
    fields: { partition: 'number', holder: 'string', cause: ['fenced', 'wiped', 'lost'] },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cluster_begun_anew_total',
        help: 'Partitions in which this node began anew, by cause',
        labels: ['cause'],
      },
    ],
  },
  'cluster.gap': {
    level: 'warn',
    doc: 'The store came back without the last batches it had confirmed, as after a failover: this node writes them again.',
    limited: true,
    fields: { partition: 'number', batches: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cluster_lost_batches_total',
        help: 'Batches that the store had confirmed and lost',
        by: 'batches',
      },
    ],
  },
  'cluster.reaped': {
    level: 'warn',
    doc: 'What a dead node, or this node under a former name, held in a partition was removed, as far as this node did it.',
    limited: true,
    fields: { partition: 'number', holder: 'string', entries: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cluster_reaped_entries_total',
        help: 'Entries of dead holders that this node removed',
        by: 'entries',
      },
    ],
  },
  'cluster.owned': {
    level: 'debug',
    doc: 'This node owns a partition from now on: it fires its deadlines and delivers its webhooks.',
    fields: { partition: 'number' },
  },
  'cluster.given': {
    level: 'debug',
    doc: 'This node owns a partition no longer: another took it or will, or the lease ran out.',
    fields: { partition: 'number' },
  },
  'cluster.refused': {
    level: 'error',
    doc: 'The store divides its state otherwise than this node is configured for: nothing of the partition can be written.',
    limited: true,
    fields: { partition: 'number', code: 'code', err: 'error' },
  },
  'cluster.held': {
    level: 'warn',
    doc: 'At the end of a stop a partition still had entries of this node: others remove them when its lease has run out.',
    fields: { partition: 'number', entries: 'number' },
  },
  'cluster.script-failed': {
    level: 'error',
    doc: 'A script failed in the store for a reason of its own; batches are sent again every second.',
    limited: true,
    fields: { script: ['apply', 'renew', 'reap', 'fire', 'retire'], partition: 'number', err: 'error' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_cluster_script_failures_total',
        help: 'Scripts that failed in the store',
        labels: ['script'],
      },
    ],
  },
} as const satisfies Record<string, EventEntry>;
