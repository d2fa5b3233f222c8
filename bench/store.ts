import { loadConfig } from '../config/load.ts';
import { systemClock } from '../lib/flow/clock.ts';
import type { MembershipChange } from '../lib/membership/membership-store.ts';
import { createRedisStores } from '../lib/shared-stores.ts';
import type { Stores } from '../lib/stores.ts';
import { createNodeId } from '../lib/parts.ts';
import { Telemetry } from '../lib/telemetry/telemetry.ts';
import { type RedisServer, startRedis } from '../spec/support/redis.ts';
import { readOptions } from './support/options.ts';
import { medianText, sayHeader, sayTable } from './support/report.ts';
import { inRounds } from './support/rounds.ts';

type Variant =
  | 'plain channels'
  | 'presence members'
  | 'presence members, told to an endpoint'
  | 'a mass drop';

/** What one variant cost Redis; per change, a join or a leave. */
interface Cost {
  readonly bytesEach: number;
  readonly joinUs: number;
  readonly leaveUs: number;
  readonly joinScripts: number;
  readonly leaveScripts: number;
}

const { quick, rounds } = readOptions([]);
const subscriptions = quick ? 2_000 : 10_000;
const idleSeconds = quick ? 4 : 20;
/** What a settle batch holds. */
const batchSize = 64;
const appId = 'app-id';

const shapes: Readonly<Record<Variant, (index: number) => { channel: string; user?: string }>> = {
  'plain channels': (index) => ({ channel: `orders-of-customer-${index}` }),
  'presence members': (index) => ({ channel: `presence-room-${index % 100}`, user: `user-${index}` }),
  'presence members, told to an endpoint': (index) => ({
    channel: `presence-room-${index % 100}`,
    user: `user-${index}`,
  }),
  'a mass drop': (index) => {
    const channel = index % 500;
    return channel % 2 === 0
      ? { channel: `room-${channel}` }
      : { channel: `presence-room-${channel}`, user: `user-${index}` };
  },
};
const variants = Object.keys(shapes) as readonly Variant[];

async function run(): Promise<void> {
  sayHeader(`${subscriptions} subscriptions of one node: what do they cost Redis?`);
  const results = await inRounds(rounds, variants, (variant) => onRedis((redis) => measure(redis, variant)));
  const cells = (pick: (cost: Cost) => number) =>
    variants.map((variant) => medianText((results.get(variant) ?? []).map((cost) => cost && pick(cost))));
  const columns = [
    variants,
    cells(({ bytesEach }) => bytesEach),
    cells(({ joinUs }) => joinUs),
    cells(({ leaveUs }) => leaveUs),
    cells(({ joinScripts }) => joinScripts),
    cells(({ leaveScripts }) => leaveScripts),
  ];
  const head = ['', 'bytes each', 'Redis us per join', 'per leave', 'scripts of the joins', 'of the leaves'];
  sayTable(
    head,
    variants.map((_, row) => columns.map((column) => column[row] ?? '')),
  );
  const idle = await onRedis(idleCommands);
  sayTable(['an idle node', 'commands a second'], [['16 partitions', idle.toFixed(1)]]);
}

async function onRedis<T>(work: (redis: RedisServer) => Promise<T>): Promise<T> {
  const redis = await startRedis();
  try {
    return await work(redis);
  } finally {
    await redis.stop();
  }
}

async function measure(redis: RedisServer, variant: Variant): Promise<Cost> {
  const telemetry = new Telemetry();
  const lost: unknown[] = [];
  void telemetry.events$.forEach((event) => {
    if (event.name === 'redis.lost') lost.push(event);
  });
  const stores = await openStores(redis, telemetry, variant.endsWith('endpoint'));
  const before = await stateOf(redis);
  await apply(stores, variant, 'join');
  const joined = await stateOf(redis);
  await apply(stores, variant, 'leave');
  const left = await stateOf(redis);
  await stores.close();
  if (lost.length > 0) throw new Error('Redis was taken for away: the machine is too busy');
  return {
    bytesEach: (joined.bytes - before.bytes) / subscriptions,
    joinUs: (joined.cpuUs - before.cpuUs) / subscriptions,
    leaveUs: (left.cpuUs - joined.cpuUs) / subscriptions,
    joinScripts: joined.scripts - before.scripts,
    leaveScripts: left.scripts - joined.scripts,
  };
}

async function openStores(redis: RedisServer, telemetry: Telemetry, isTold: boolean): Promise<Stores> {
  const webhooks = isTold ? [{ url: 'http://127.0.0.1:9/' }] : [];
  const { config } = loadConfig({
    env: {},
    overrides: {
      apps: [{ id: appId, key: 'app-key', secret: 'app-secret', webhooks }],
      redis: { url: redis.url },
    },
  });
  const tools = { clock: systemClock, telemetry, nodeId: createNodeId() };
  const stores = createRedisStores(config, () => undefined, tools);
  await stores.open();
  const takes = (): boolean => true;
  await stores.outbox.open(isTold ? [{ appId, id: 'endpoint', takes }] : []);
  return stores;
}

async function apply(stores: Stores, variant: Variant, kind: 'join' | 'leave'): Promise<void> {
  const changes = Array.from({ length: subscriptions }, (_, index): MembershipChange => {
    const { channel, user } = shapes[variant](index);
    const change = { appId, channel, socketId: `1.${index}`, incarnation: 1, counted: false };
    if (kind === 'leave') return { kind, ...change };
    const member = user === undefined ? {} : { member: { userId: user, userInfoJson: `{"name":"${user}"}` } };
    return { kind, ...change, ...member, maxMembers: 0 };
  });
  const answers: unknown[] = [];
  for (let at = 0; at < changes.length; at += batchSize) {
    answers.push(stores.membership.apply(changes.slice(at, at + batchSize)));
  }
  await Promise.all(answers);
}

interface RedisState {
  readonly bytes: number;
  readonly cpuUs: number;
  readonly scripts: number;
}

async function stateOf(redis: RedisServer): Promise<RedisState> {
  const info = await redis.cli('INFO', 'everything');
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    bytes: field('used_memory'),
    cpuUs: (field('used_cpu_user') + field('used_cpu_sys')) * 1e6,
    scripts: callsOf(info, ['evalsha', 'eval']),
  };
}

/** What nodes send when nothing happens; commands inside scripts are not among them. */
async function idleCommands(redis: RedisServer): Promise<number> {
  const stores = await openStores(redis, new Telemetry(), true);
  const sent = async (): Promise<number> =>
    callsOf(await redis.cli('INFO', 'commandstats'), ['evalsha', 'eval', 'ping', 'subscribe', 'info']);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = await sent();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_000));
  const after = await sent();
  await stores.close();
  return (after - before) / idleSeconds;
}

/** `INFO` of the one who asks is counted as well, and is not in the reply it gets. */
function callsOf(info: string, commands: readonly string[]): number {
  const calls = commands.map((name) => new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return calls.reduce<number>((sum, count) => sum + Number(count), 0);
}

await run();
