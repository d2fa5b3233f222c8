import { Subject } from 'rxjs';
import type { Config } from '../config/schema.ts';
import { AppRegistry } from './apps/app-registry.ts';
import type { Bus, BusMessage } from './bus/bus.ts';
import { LocalBus } from './bus/local.ts';
import type { CachedEvents } from './cache/cached-events.ts';
import { MemoryCachedEvents } from './cache/memory.ts';
import { Announcer } from './channels/announcer.ts';
import { ChannelRegistry } from './channels/channel-registry.ts';
import type { Transport } from './channels/connection.ts';
import { ConnectionRegistry } from './channels/connection-registry.ts';
import { deliver } from './channels/delivery.ts';
import { Fanout } from './channels/fanout.ts';
import { Subscriptions } from './channels/subscriptions.ts';
import { UserConnections } from './channels/user-connections.ts';
import { Watchlists } from './channels/watchlists.ts';
import { SpillwayError } from './errors/spillway-error.ts';
import { type Clock, systemClock } from './flow/clock.ts';
import { Lanes } from './flow/lanes.ts';
import { MemoryMembershipStore } from './membership/memory.ts';
import type { MembershipStore } from './membership/membership-store.ts';
import type { ConnectionQuota } from './quota/connection-quota.ts';
import { MemoryConnectionQuota } from './quota/memory.ts';
import { createDisconnect } from './stages/disconnect/disconnect.ts';
import type { Departed, PublishReceived } from './stages/events.ts';
import type { Services } from './stages/services.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { MemorySignedInUsers } from './users/memory.ts';
import type { SignedInUsers } from './users/signed-in-users.ts';

/** The parts that hold what is shared between nodes: in memory for one process, elsewhere for several. */
export interface Stores {
  readonly bus: Bus;
  readonly membership: MembershipStore;
  readonly cachedEvents: CachedEvents;
  readonly users: SignedInUsers;
  readonly quota: ConnectionQuota;
}

/** Makes the stores; `deliverHere` is the end of the bus on this node. */
export type CreateStores = (config: Config, deliverHere: (message: BusMessage) => void) => Stores;

/** Everything in this process's memory. */
export const createMemoryStores: CreateStores = (config, deliverHere) => {
  const bus = new LocalBus(deliverHere);
  return {
    bus,
    membership: new MemoryMembershipStore((announcement) =>
      bus.publish({ kind: 'membership', ...announcement }),
    ),
    cachedEvents: new MemoryCachedEvents(config.cache.ttlSeconds),
    users: new MemorySignedInUsers((appId, state) => bus.publish({ kind: 'user', appId, ...state })),
    quota: new MemoryConnectionQuota(),
  };
};

export type Parts = Services & {
  readonly departures: Subject<Departed>;
  readonly publishes: Subject<PublishReceived>;
};

/** Makes the parts of a server and ties them to each other. Nothing runs yet. */
export function createParts(
  config: Config,
  telemetry: Telemetry,
  options: { readonly createStores?: CreateStores; readonly clock?: Clock } = {},
): Parts {
  const { createStores = createMemoryStores, clock = systemClock } = options;
  const departures = new Subject<Departed>();
  const channels = new ChannelRegistry((appId, channel, interested) =>
    stores.bus.setInterest(appId, channel, interested),
  );
  const fanout = new Fanout(channels, config.delivery.maxBufferedBytes, {
    onSlow: (connection) => {
      const limitBytes = config.delivery.maxBufferedBytes;
      disconnect(connection, 'slow', new SpillwayError('connection.slow', { limitBytes }));
    },
    onInline: ({ app, name }, entries) =>
      telemetry.emit('fanout.inline', { appId: app.id, channel: name.name, entries }),
  });
  const disconnect = createDisconnect(fanout, departures);
  const announcer = new Announcer(channels, fanout, clock);
  const signedIn = new UserConnections();
  const watchlists = new Watchlists(fanout);
  const terminate = (connection: Parameters<typeof disconnect>[0]): void => {
    disconnect(connection, 'terminated', new SpillwayError('connection.terminated'));
  };
  const delivery = { registry: channels, fanout, announcer, signedIn, watchlists, terminate };
  const stores = createStores(config, (message) => deliver(delivery, message));
  return {
    config,
    clock,
    telemetry,
    node: { draining: false },
    apps: new AppRegistry(config.apps),
    connections: new ConnectionRegistry(),
    channels,
    subscriptions: new Subscriptions(channels),
    fanout,
    announcer,
    signedIn,
    watchlists,
    ...stores,
    connectionLanes: createConnectionLanes(config, telemetry),
    publishLanes: new Lanes({ maxWaitingPerKey: Number.POSITIVE_INFINITY }),
    departures,
    publishes: new Subject<PublishReceived>(),
    disconnect,
  };
}

/** Frames that wait behind a slow one; at the cap their socket is not read any further until they are done. */
function createConnectionLanes({ inbound }: Config, telemetry: Telemetry): Lanes<Transport> {
  const fieldsOf = ({ connection }: Transport) => ({
    appId: connection?.app.id ?? '',
    socketId: connection?.socketId ?? '',
  });
  return new Lanes<Transport>({
    maxWaitingPerKey: inbound.maxWaitingFrames,
    onFull: (transport, waiting) => {
      transport.pause();
      telemetry.emit('connection.paused', { ...fieldsOf(transport), waiting });
    },
    onDrained: (transport) => {
      transport.resume();
      telemetry.emit('connection.resumed', { ...fieldsOf(transport), waiting: 0 });
    },
  });
}
