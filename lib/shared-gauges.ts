import type { RedisLink } from './redis/redis-link.ts';
import type { SharedStores } from './shared-stores.ts';
import type { StoreGauge } from './stores.ts';

type Parts = Pick<
  SharedStores,
  'bus' | 'cachedEvents' | 'link' | 'membership' | 'node' | 'outbox' | 'quota' | 'users' | 'views'
>;

type Reading = readonly [name: string, help: string, read: () => number];

/** What a node that shares its stores holds and waits for. */
export function sharedGauges(parts: Parts): readonly StoreGauge[] {
  const { cachedEvents, link, membership, node, outbox, users, views } = parts;
  const gauges: readonly Reading[] = [
    ['redis_up', 'Whether Redis can be used: 1, or 0', () => Number(link.isUp)],
    [
      'cluster_lease_age_seconds',
      'Age of the oldest lease of this node',
      () => node.metrics.leaseAgeMs / 1000,
    ],
    [
      'cluster_generation',
      'How often a partition of the store was found to have lost something: the most of one',
      () => node.metrics.generation,
    ],
    ['cluster_live_nodes', 'Live nodes, as the first partition has it', () => node.liveNodes(0)],
    ['cluster_owned_partitions', 'Partitions that this node owns', () => node.metrics.ownedPartitions],
    [
      'cluster_due_partitions',
      'Partitions with a leave whose time has come and that is not told yet',
      () => node.duePartitions,
    ],
    ['cluster_queued_changes', 'Changes of membership that wait for a batch', () => membership.queued],
    ['cluster_queued_users', 'Signed-in users of whom the store is to be told', () => users.pending],
    ['cluster_dirty_keys', 'Channels and users to be told to the store again', () => membership.dirty],
    ['cluster_journal_bytes', 'Batches kept to be written again', () => node.metrics.journalBytes],
    ['cluster_scripts_in_flight', 'Batches under way', () => node.metrics.scriptsInFlight],
    ['cluster_scripts_waiting', 'Partitions that wait for a batch to end', () => node.metrics.scriptsWaiting],
    [
      'cluster_waiting_events',
      'Events of other kinds that wait for the store',
      () => outbox.size.waitingEvents,
    ],
    ['cluster_waiting_event_bytes', 'Bytes of these', () => outbox.size.waitingBytes],
    ['cluster_views', 'Channels of which this node knows the members or the count', () => views.size],
    ['cluster_reading_views', 'Of these, the ones that are being read, or wait for it', () => views.reading],
    ['cluster_waiting_snapshots', 'Snapshots that wait for a change on its way', () => views.waiting],
    [
      'cluster_unwritten_cached_events',
      'Cached events that wait for the store',
      () => cachedEvents.unwritten,
    ],
    ...trafficGauges(parts),
  ];
  return gauges.map(toGauge);
}

function trafficGauges({ bus, quota }: Parts): readonly Reading[] {
  return [
    ['quota_shares', 'Connections that this node may have without asking', () => quota.shares],
    ['quota_waiting', 'Connections that wait for a share', () => quota.waiting],
    ['bus_topics', 'Channels that are listened to, lingering ones among them', () => bus.channels.size],
    [
      'bus_lingering_topics',
      'Channels without a subscriber that are still listened to',
      () => bus.channels.lingering,
    ],
    ['bus_lag_seconds', 'Time a message took to come back from the store, sampled', () => bus.lagMs / 1000],
  ];
}

export function sharedCounters({
  bus,
  cachedEvents,
  membership,
  node,
  quota,
  users,
  views,
}: Parts): readonly StoreGauge[] {
  const counters: readonly Reading[] = [
    ['cluster_batches_total', 'Batches that the store applied', () => node.metrics.batches],
    ['cluster_changes_total', 'Changes in these', () => node.metrics.changes],
    [
      'cluster_replays_total',
      'Batches written again because the store had lost them',
      () => node.metrics.replays,
    ],
    [
      'cluster_reaped_holders_total',
      'Dead holders removed from a partition',
      () => node.metrics.reapedHolders,
    ],
    [
      'cluster_fired_deadlines_total',
      'Leaves and counts told when their time came',
      () => node.metrics.firedDeadlines,
    ],
    ['cluster_scripts_total', 'Scripts that were answered', () => node.metrics.scripts],
    ['cluster_script_seconds_total', 'Time until these were answered', () => node.metrics.scriptMs / 1000],
    [
      'cluster_queue_overflows_total',
      'Calls that found a full queue and were answered from what this node knows',
      () => membership.overflows + users.overflows,
    ],
    [
      'cluster_cached_events_left_out_total',
      'Cached events that were not written, for too many waited',
      () => cachedEvents.leftOut,
    ],
    [
      'cluster_view_gaps_total',
      'Times a channel was read again for an announcement was missed',
      () => views.gaps,
    ],
    ['cluster_view_reads_total', 'Times a channel was read from the store', () => views.reads],
    ['bus_sent_total', 'Messages said to other nodes', () => bus.sent],
    ['bus_received_total', 'Messages of others that were taken', () => bus.received],
    ['bus_dropped_total', 'Messages delivered here only, for the store was away', () => bus.dropped],
    ['quota_overflows_total', 'Connections refused, for too many waited for a share', () => quota.overflows],
    ['quota_questions_total', 'Times the store was asked for a share', () => quota.asked],
  ];
  return counters.map(toGauge);
}

/** What is under way to Redis. */
export function linkGauges(link: RedisLink): readonly StoreGauge[] {
  const gauges: readonly Reading[] = [
    ['redis_waiting_calls', 'Calls that wait for an answer', () => link.metrics.waiting],
    ['redis_publishes_under_way', 'Messages on their way', () => link.metrics.publishesUnderWay],
    ['redis_topics', 'Topics that are listened to', () => link.metrics.topics],
    [
      'redis_script_mean_seconds',
      'Time from a script to its answer, of the last hundred or so',
      () => link.metrics.meanScriptMs / 1000,
    ],
  ];
  return gauges.map(toGauge);
}

export function linkCounters(link: RedisLink): readonly StoreGauge[] {
  const counters: readonly Reading[] = [
    ['redis_scripts_total', 'Scripts run, answered or not', () => link.metrics.scriptCalls],
    ['redis_reconnects_total', 'Connections made anew', () => link.metrics.reconnects],
    [
      'redis_dropped_publishes_total',
      'Messages not sent, or of which that is not known',
      () => link.metrics.droppedPublishes,
    ],
  ];
  return counters.map(toGauge);
}

function toGauge([name, help, read]: Reading): StoreGauge {
  return { name: `spillway_${name}`, help, read };
}
