import { randomBytes } from 'node:crypto';
import { Subject } from 'rxjs';
import type { Config } from '../config/schema.ts';
import { AppRegistry } from './apps/app-registry.ts';
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
import { version } from './package.ts';
import { createDisconnect } from './stages/disconnect/disconnect.ts';
import type { Departed, PublishReceived } from './stages/events.ts';
import { Welcomes } from './stages/message/welcomes.ts';
import type { Services } from './stages/services.ts';
import { createRedisStores } from './shared-stores.ts';
import { type CreateStores, createMemoryStores, type Stores } from './stores.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { WebhookEndpoints } from './webhooks/endpoints.ts';
import type { PostWebhook } from './webhooks/post.ts';
import { WebhookSchedule } from './webhooks/schedule.ts';
import { createPost } from './webhooks/undici-post.ts';

export type Parts = Services & {
  /** The ends of the stores' life: see `Stores`. */
  readonly stores: Pick<
    Stores,
    'abandon' | 'open' | 'settle' | 'close' | 'gauges' | 'counters' | 'gaps$' | 'health'
  >;
  /** Ends the connections to webhook endpoints. */
  readonly closePost: () => Promise<void>;
  readonly departures: Subject<Departed>;
  readonly publishes: Subject<PublishReceived>;
};

/** What specs and embedders may put in place of the defaults. */
export interface PartsOptions {
  readonly createStores?: CreateStores;
  readonly clock?: Clock;
  /** Posts webhooks; default: over the network. */
  readonly post?: PostWebhook;
  /** Default: a random one. */
  readonly nodeId?: string;
}

/** Makes the parts of a server and ties them to each other. Nothing runs yet. */
export function createParts(config: Config, telemetry: Telemetry, options: PartsOptions = {}): Parts {
  const { createStores = storesFor(config), clock = systemClock } = options;
  const departures = new Subject<Departed>();
  const channels = new ChannelRegistry((appId, channel, interested) =>
    stores.bus.setInterest(appId, channel, interested),
  );
  const limitBytes = config.delivery.maxBufferedBytes;
  const fanout = new Fanout(channels, limitBytes, {
    onSlow: (connection) => {
      disconnect(connection, 'slow', new SpillwayError('connection.slow', { limitBytes }));
    },
    onInline: ({ app, name }, entries) =>
      telemetry.emit('fanout.inline', { appId: app.id, channel: name.name, entries }),
  });
  const disconnect = createDisconnect(fanout, departures);
  const announcer = new Announcer(channels, fanout, { windowMs: config.cleanup.announceWindowMs, clock });
  const signedIn = new UserConnections();
  const watchlists = new Watchlists(fanout);
  const terminate = (connection: Parameters<typeof disconnect>[0]): void => {
    disconnect(connection, 'terminated', new SpillwayError('connection.terminated'));
  };
  const connections = new ConnectionRegistry();
  const delivery = {
    ...{ registry: channels, connections, fanout, announcer, signedIn, watchlists, terminate },
    coalesces: config.server.fastPaths,
  };
  const { nodeId = createNodeId() } = options;
  const stores = createStores(config, (message) => deliver(delivery, message), { clock, telemetry, nodeId });
  const { membership } = stores;
  const subscriptions = new Subscriptions(channels);
  const apps = new AppRegistry(config.apps);
  return {
    config,
    clock,
    telemetry,
    node: { draining: false },
    apps,
    connections,
    channels,
    subscriptions,
    fanout,
    announcer,
    welcomes: new Welcomes({ announcer, fanout, membership, subscriptions, telemetry }),
    signedIn,
    watchlists,
    bus: stores.bus,
    membership,
    cachedEvents: stores.cachedEvents,
    users: stores.users,
    quota: stores.quota,
    outbox: stores.outbox,
    stores,
    ...createWebhookParts(apps, config, telemetry, options),
    connectionLanes: createConnectionLanes(config, telemetry),
    publishLanes: new Lanes({ maxWaitingPerKey: Number.POSITIVE_INFINITY }),
    departures,
    publishes: new Subject<PublishReceived>(),
    disconnect,
  };
}

function storesFor({ redis }: Config): CreateStores {
  return redis === undefined ? createMemoryStores : createRedisStores;
}

/** Twelve hexadecimal digits. */
export function createNodeId(): string {
  return randomBytes(6).toString('hex');
}

function createWebhookParts(
  apps: AppRegistry,
  { webhooks }: Config,
  telemetry: Telemetry,
  { clock = systemClock, post }: PartsOptions,
): Pick<Parts, 'endpoints' | 'schedule' | 'post' | 'closePost'> {
  const endpoints = new WebhookEndpoints(apps.all());
  const network = createPost({ ...webhooks, userAgent: `Spillway/${version}` });
  return {
    endpoints,
    schedule: new WebhookSchedule({ endpoints: endpoints.all(), settings: webhooks, clock, telemetry }),
    post: post ?? network.post,
    closePost: () => network.close(),
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
