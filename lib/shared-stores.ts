import { filter, first, map, merge, type Observable, pairwise, switchMap } from 'rxjs';
import type { Config } from '../config/schema.ts';
import { RedisBus } from './bus/redis/redis-bus.ts';
import { RedisCachedEvents } from './cache/redis.ts';
import { RedisClusterNode } from './cluster/redis-cluster-node.ts';
import { ChannelViews } from './membership/redis/channel-views.ts';
import { RedisMembershipStore } from './membership/redis/redis-membership-store.ts';
import { RedisOutbox } from './outbox/redis/redis-outbox.ts';
import { parseChannelName } from './protocol/channel-name.ts';
import { RedisConnectionQuota } from './quota/redis.ts';
import { RedisLink } from './redis/redis-link.ts';
import type { StoreLink } from './redis/store-link.ts';
import { linkCounters, linkGauges, sharedCounters, sharedGauges } from './shared-gauges.ts';
import type { CreateStores, StoreGauge, Stores, StoreTools } from './stores.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { RedisSignedInUsers } from './users/redis.ts';

const hourMs = 3_600_000;

/** Stores that nodes share, with the parts that only specs and gauges look at. */
export interface SharedStores extends Stores {
  readonly bus: RedisBus;
  readonly membership: RedisMembershipStore;
  readonly outbox: RedisOutbox;
  readonly cachedEvents: RedisCachedEvents;
  readonly users: RedisSignedInUsers;
  readonly quota: RedisConnectionQuota;
  readonly views: ChannelViews;
  readonly node: RedisClusterNode;
  readonly link: StoreLink;
  readonly counters: readonly StoreGauge[];
}

/** On the Redis of the configuration. */
export const createRedisStores: CreateStores = (config, deliverHere, tools) => {
  const { redis, cluster } = config;
  if (redis === undefined) throw new Error('createRedisStores: the configuration names no Redis');
  const { telemetry } = tools;
  const link = new RedisLink({ settings: redis, partitions: cluster.partitions, telemetry });
  const { gauges, counters, ...stores } = createSharedStores(link, config, deliverHere, tools);
  return {
    ...stores,
    gauges: [...gauges, ...linkGauges(link)],
    counters: [...counters, ...linkCounters(link)],
  };
};

/** Behind any link: Redis, or what stands for it in specs. */
export function createSharedStores(
  link: StoreLink,
  config: Config,
  deliverHere: Parameters<CreateStores>[1],
  tools: StoreTools,
): SharedStores {
  const { clock, telemetry, nodeId } = tools;
  const failed = failuresTold(telemetry);
  const node = createNode(link, config, nodeId, telemetry, (partition) => outbox.mayGive(partition));
  const outbox = createOutbox(link, node, config, tools);
  const members = createMembership({ link, node, outbox, config, deliverHere, tools });
  const bus = new RedisBus({
    link,
    clock,
    nodeId,
    views: members.views,
    deliverHere,
    onMalformed: (topic) => telemetry.emit('bus.malformed', { topic }),
    onFailed: failed('bus'),
  });
  const cachedEvents = new RedisCachedEvents(config.cache.ttlSeconds, {
    link,
    clock,
    onFailed: failed('cache'),
  });
  const quota = new RedisConnectionQuota({ link, node, onFailed: failed('quota') });
  const parts = { link, node, outbox, ...members, bus, cachedEvents, quota };
  return {
    ...parts,
    ...livesOf(parts),
    gaps$: merge(link.gaps$, returnsOf(link)).pipe(switchMap(() => untilUp(link))),
    gauges: sharedGauges(parts),
    counters: sharedCounters(parts),
    health: () => ({
      redis: link.isUp ? { ok: true } : { ok: false, detail: 'away: this node goes on with what it knows' },
    }),
  };
}

interface MembershipTools {
  readonly link: StoreLink;
  readonly node: RedisClusterNode;
  readonly outbox: RedisOutbox;
  readonly config: Config;
  readonly deliverHere: Parameters<CreateStores>[1];
  readonly tools: StoreTools;
}

/** Who is in which channel and who is signed in; both write by way of the node. */
function createMembership({ link, node, outbox, config, deliverHere, tools }: MembershipTools) {
  const { clock, telemetry } = tools;
  const countsSubscriptions = (appId: string): boolean =>
    settingsOf(config, appId)?.subscriptionCount === true;
  const poke = (partition: number): void => node.poke(partition);
  const views = new ChannelViews({
    link,
    announce: (announcement) => deliverHere({ kind: 'membership', ...announcement }),
    localMembers: (appId, channel) => membership.localMembers(appId, channel),
    isUnconfirmed: (appId, channel) => membership.isUnconfirmed(appId, channel),
    hasMembers: (channel) => parseChannelName(channel)?.kind === 'presence',
    isCounted: (appId, channel) => countsSubscriptions(appId) && parseChannelName(channel)?.kind !== 'user',
    onFailed: failuresTold(telemetry)('membership'),
  });
  const membership: RedisMembershipStore = new RedisMembershipStore({
    link,
    poke,
    views,
    clock,
    asksCounts: countsSubscriptions,
    wantsCounts: (appId, channel) => outbox.wants('subscription_count', appId, channel),
  });
  const users = new RedisSignedInUsers({
    link,
    poke,
    clock,
    announces: (appId) => settingsOf(config, appId)?.watchlist === true,
  });
  node.addSource(membership);
  node.addSource(users);
  return { views, membership, users };
}

type Parts = Omit<SharedStores, 'open' | 'settle' | 'close' | 'abandon' | 'gauges' | 'counters'>;

/** The link first and last; the node's leases end once nothing is told under them any more. */
function livesOf({
  link,
  node,
  bus,
  outbox,
  quota,
}: Parts): Pick<Stores, 'open' | 'settle' | 'close' | 'abandon'> {
  const close = async (): Promise<void> => {
    outbox.close();
    quota.close();
    await node.close();
    bus.close();
    await link.close();
  };
  return {
    open: async () => {
      await link.open();
      try {
        await bus.open();
        await node.open();
      } catch (error) {
        await close();
        throw error;
      }
    },
    settle: async () => {
      await node.settle();
      await outbox.settle();
    },
    close,
    abandon: close,
  };
}

function createNode(
  link: StoreLink,
  { cluster, webhooks }: Config,
  nodeId: string,
  telemetry: Telemetry,
  mayGive: (partition: number) => boolean,
): RedisClusterNode {
  return new RedisClusterNode({
    nodeId,
    link,
    telemetry,
    settings: { ...cluster, graceMs: webhooks.graceMs, retainMs: webhooks.retainHours * hourMs },
    mayGive,
  });
}

function createOutbox(
  link: StoreLink,
  node: RedisClusterNode,
  { webhooks }: Config,
  { clock, telemetry }: Pick<StoreTools, 'clock' | 'telemetry'>,
): RedisOutbox {
  return new RedisOutbox({
    link,
    node,
    clock,
    retainMs: webhooks.retainHours * hourMs,
    maxBytesPerApp: webhooks.maxBacklogBytes,
    timeoutMs: webhooks.timeoutMs,
    onCoalesced: (told) => telemetry.emit('outbox.coalesced', told),
    onDeadLettered: (told) => telemetry.emit('outbox.dead-lettered', told),
    onExpired: (told) => telemetry.emit('outbox.expired', told),
    onDropped: (told) => telemetry.emit('outbox.dropped', told),
    onUpkeepFailed: failuresTold(telemetry)('outbox'),
  });
}

/** What was answered meanwhile, this node answered by itself. */
function returnsOf({ up$ }: StoreLink): Observable<unknown> {
  return up$.pipe(
    pairwise(),
    filter(([was, is]) => !was && is),
  );
}

/** A gap ends before everything works again. */
function untilUp({ up$ }: StoreLink): Observable<void> {
  return up$.pipe(
    first((isUp) => isUp, false),
    map(() => undefined),
  );
}

function failuresTold(telemetry: Telemetry) {
  return (part: 'bus' | 'cache' | 'outbox' | 'quota' | 'membership') =>
    (error: unknown): void => {
      const err = error instanceof Error ? error : new Error(String(error));
      telemetry.emit('store.failed', { part, err });
    };
}

function settingsOf({ apps }: Config, appId: string): Config['apps'][number] | undefined {
  return apps.find(({ id }) => id === appId);
}
