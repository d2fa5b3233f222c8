import { filter, firstValueFrom, skip } from 'rxjs';
import { loadConfig } from '../../../config/load.ts';
import type { RawObject } from '../../../config/raw.ts';
import { createSharedStores, type SharedStores } from '../../../lib/shared-stores.ts';
import { RedisLink } from '../../../lib/redis/redis-link.ts';
import type { StoreLink } from '../../../lib/redis/store-link.ts';
import type { CreateStores, Stores } from '../../../lib/stores.ts';
import type { StoresFixture } from '../../lib/stores.ts';

/** Where the stores of a fixture are, for the time of a run. */
export interface Backend {
  readonly settings: RawObject;
  stop(): Promise<void>;
}

/** Channels of the contracts: a node hears of channels that it has subscribers of. */
const channels = [
  'presence-room',
  'presence-x',
  'presence-y',
  'presence-z',
  'x',
  'private-x',
  'counted',
  'room',
];
const partitions = 2;

/** Users are watched, and numbers of subscriptions announced. */
const { apps } = loadConfig({
  env: {},
  overrides: {
    apps: ['app-1', 'app-2'].map((id) => ({
      id,
      key: `key of ${id}`.replaceAll(' ', '-'),
      secret: 'secret',
      watchlist: true,
      subscriptionCount: true,
    })),
  },
}).config;

interface Opened {
  readonly stores: SharedStores;
  readonly ready: Promise<void>;
}

/**
 * The stores on a real Redis as a fixture of the contract suites: real time, in which waiting is moving the clock of the
 * store. Every store has keys of its own.
 */
export function redisFixture(name: string, backend: () => Backend): StoresFixture & { end(): Promise<void> } {
  const opened = new Map<Stores, Opened>();
  const prefix = `spec-${process.pid}-${name}-`;
  let made = 0;
  let shiftMs = 0;
  const createStores: CreateStores = (config, deliver, tools) => {
    const redis = {
      ...(backend().settings as NonNullable<typeof config.redis>),
      keyPrefix: `${prefix}${++made}:`,
    };
    const settings = { ...config, redis, cluster: { ...config.cluster, partitions, renewMs: 25 }, apps };
    const { telemetry } = tools;
    const link = new RedisLink({ settings: redis, partitions, telemetry, shiftMs: () => shiftMs });
    const stores = createSharedStores(link, settings, deliver, { ...tools, nodeId: `node${made}` });
    const ready = open(stores);
    const handed = afterReady(stores, ready);
    opened.set(handed, { stores, ready });
    return handed;
  };
  return {
    name,
    createStores,
    longRuns: 1,
    begin: () => Promise.resolve(),
    end: async () => {
      const all = [...opened.values()];
      opened.clear();
      await Promise.all(all.map(({ stores, ready }) => ready.then(() => stores.close())));
    },
    rest: async (handed, answer) => {
      await answer;
      const own = opened.get(handed);
      if (own !== undefined) await rest(own.stores);
    },
    elapse: async (ms) => {
      shiftMs += ms;
      await Promise.all([...opened.values()].map(({ stores }) => twoRenewals(stores)));
    },
  };
}

async function open(stores: SharedStores): Promise<void> {
  await stores.open();
  for (const appId of ['app-1', 'app-2']) {
    for (const channel of channels) stores.bus.setInterest(appId, channel, true);
  }
  for (const appId of ['app-1', 'app-2']) {
    for (const channel of channels) await stores.bus.listening(appId, channel);
  }
  await rest(stores);
}

/** Each call waits until the stores are open; what follows is in the order of the calls. */
function afterReady(stores: SharedStores, ready: Promise<void>): Stores {
  const late = <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property, target);
        if (typeof member !== 'function' || property === 'holds') return member;
        return (...args: unknown[]) => ready.then((): unknown => Reflect.apply(member, target, args));
      },
    });
  return {
    ...stores,
    membership: late(stores.membership),
    users: late(stores.users),
    quota: late(stores.quota),
    cachedEvents: late(stores.cachedEvents),
    outbox: late(stores.outbox),
    settle: () => ready.then(() => stores.settle()),
  };
}

/** Until everything said so far has been heard, and nothing is under way that nobody waits for. */
async function rest(stores: SharedStores): Promise<void> {
  const { link, outbox, views } = stores;
  await Promise.all(Array.from({ length: partitions }, (_, partition) => fence(link, partition)));
  while (views.reading > 0) await new Promise((resolve) => setImmediate(resolve));
  await outbox.idle();
}

let fences = 0;

/** What the store says to a listener comes in order. A quota of no app is what nobody else minds. */
async function fence(link: StoreLink, partition: number): Promise<void> {
  const message = `qfence-${++fences}`;
  const heard = firstValueFrom(link.messages$.pipe(filter((one) => one.message === message)));
  link.publish({ partition, name: 'sys' }, message);
  await heard;
}

/** The second renewal has heard what is due now; then that is fired. */
async function twoRenewals(stores: SharedStores): Promise<void> {
  await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      firstValueFrom(
        stores.node.heads$.pipe(
          filter((heads) => heads.partition === partition),
          skip(2),
        ),
      ),
    ),
  );
  while (stores.node.duePartitions > 0) await new Promise((resolve) => setImmediate(resolve));
  await rest(stores);
}
