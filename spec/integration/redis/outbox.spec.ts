import { afterAll, beforeAll } from '@jest/globals';
import { MemoryCachedEvents } from '../../../lib/cache/memory.ts';
import { LocalBus } from '../../../lib/bus/local.ts';
import { systemClock } from '../../../lib/flow/clock.ts';
import type { MembershipChange } from '../../../lib/membership/membership-store.ts';
import { RedisMembershipStore } from '../../../lib/membership/redis/redis-membership-store.ts';
import { RedisOutbox } from '../../../lib/outbox/redis/redis-outbox.ts';
import type { OutboxEndpoint } from '../../../lib/outbox/outbox.ts';
import { MemoryConnectionQuota } from '../../../lib/quota/memory.ts';
import type { RedisLink } from '../../../lib/redis/redis-link.ts';
import { MemorySignedInUsers } from '../../../lib/users/memory.ts';
import type { CreateStores } from '../../../lib/stores.ts';
import { describeOutbox } from '../../lib/outbox/outbox.contract.ts';
import type { StoresFixture } from '../../lib/stores.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { heard, newLink, PlainNode, type Shift } from './outbox-rig.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

interface Opened {
  readonly link: RedisLink;
  readonly node: PlainNode;
  readonly outbox: RedisOutbox;
}

const shift: Shift = { ms: 0 };
/** A spec of properties opens several; the last is the one it is about. */
let all: Opened[] = [];
let opened: Opened | undefined;

const createStores: CreateStores = (config, deliverHere) => {
  const link = newLink(redis, config.cluster.partitions, shift);
  const { graceMs, retainHours, maxBacklogBytes, timeoutMs } = config.webhooks;
  const node = new PlainNode(link, graceMs);
  const clock = { now: () => systemClock.now() + shift.ms };
  const views = {
    snapshot: () => ({ version: 0, members: [], subscriptions: 0 }),
    versionOf: () => 0,
    membersOf: () => new Map(),
    appliedHere: () => undefined,
  };
  const outbox = new RedisOutbox({
    link,
    node,
    clock,
    retainMs: retainHours * 3_600_000,
    maxBytesPerApp: maxBacklogBytes,
    timeoutMs,
    onUpkeepFailed: (error) => {
      throw error;
    },
  });
  const membership = new RedisMembershipStore({
    link,
    poke: (partition) => node.poke(partition),
    views: views,
    clock,
    wantsCounts: (appId, channel) =>
      channel === 'counted' && outbox.wants('subscription_count', appId, channel),
  });
  node.addSource(membership);
  const bus = new LocalBus(deliverHere);
  const ready = link.open().then(() => node.open());
  opened = { link, node, outbox };
  all.push(opened);
  const open = outbox.open.bind(outbox);
  outbox.open = (endpoints: readonly OutboxEndpoint[]) => ready.then(() => open(endpoints));
  const apply = membership.apply.bind(membership);
  membership.apply = (changes: readonly MembershipChange[]) => ready.then(() => apply(changes));
  return {
    bus,
    membership,
    cachedEvents: new MemoryCachedEvents(60),
    users: new MemorySignedInUsers(() => undefined),
    quota: new MemoryConnectionQuota(),
    outbox,
    open: () => ready,
    settle: () => node.settle(),
    abandon: () => undefined,
    close: () => outbox.close(),
    gauges: [],
  };
};

async function rest(): Promise<void> {
  if (opened === undefined) return;
  const { link, node, outbox } = opened;
  await node.written();
  await heard(link);
  await outbox.idle();
}

const fixture: StoresFixture = {
  name: 'redis',
  createStores,
  begin: async () => {
    shift.ms = 0;
    await redis.cli('FLUSHALL');
  },
  end: async () => {
    for (const { node, outbox, link } of all) {
      await node.close();
      outbox.close();
      await outbox.idle();
      await link.close();
    }
    all = [];
    opened = undefined;
  },
  rest: async (_, answer) => {
    await answer;
    // Once a spec has let time pass, answers take some of it too.
    if (shift.ms > 0) {
      shift.ms += 50;
      await opened?.node.fireDue(Date.now() + shift.ms);
    }
    await rest();
  },
  elapse: async (ms) => {
    shift.ms += ms;
    await opened?.node.fireDue(Date.now() + shift.ms);
    await rest();
  },
};

describeOutbox(fixture);
