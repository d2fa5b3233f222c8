import type { Subject } from 'rxjs';
import type { Config } from '../../config/schema.ts';
import type { AppRegistry } from '../apps/app-registry.ts';
import type { Bus } from '../bus/bus.ts';
import type { CachedEvents } from '../cache/cached-events.ts';
import type { Announcer } from '../channels/announcer.ts';
import type { ChannelRegistry } from '../channels/channel-registry.ts';
import type { Transport } from '../channels/connection.ts';
import type { ConnectionRegistry } from '../channels/connection-registry.ts';
import type { Fanout } from '../channels/fanout.ts';
import type { Subscriptions } from '../channels/subscriptions.ts';
import type { UserConnections } from '../channels/user-connections.ts';
import type { Watchlists } from '../channels/watchlists.ts';
import type { Clock } from '../flow/clock.ts';
import type { Lanes } from '../flow/lanes.ts';
import type { MembershipStore } from '../membership/membership-store.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { ConnectionQuota } from '../quota/connection-quota.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { SignedInUsers } from '../users/signed-in-users.ts';
import type { WebhookEndpoints } from '../webhooks/endpoints.ts';
import type { PostWebhook } from '../webhooks/post.ts';
import type { WebhookSchedule } from '../webhooks/schedule.ts';
import type { Disconnect } from './disconnect/disconnect.ts';
import type { Departed } from './events.ts';
import type { Welcomes } from './message/welcomes.ts';

/** Whether this node takes new work. */
export interface NodeState {
  draining: boolean;
}

/** What the server is made of. A stage names those it needs and is given no others. */
export interface Services {
  readonly config: Config;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly node: NodeState;

  readonly apps: AppRegistry;
  readonly connections: ConnectionRegistry;
  readonly channels: ChannelRegistry;
  readonly subscriptions: Subscriptions;
  readonly fanout: Fanout;
  readonly announcer: Announcer;
  readonly welcomes: Welcomes;
  readonly signedIn: UserConnections;
  readonly watchlists: Watchlists;

  readonly membership: MembershipStore;
  readonly bus: Bus;
  readonly cachedEvents: CachedEvents;
  readonly users: SignedInUsers;
  readonly quota: ConnectionQuota;
  readonly outbox: Outbox;

  readonly endpoints: WebhookEndpoints;
  readonly schedule: WebhookSchedule;
  /** Posts to an endpoint. */
  readonly post: PostWebhook;

  /** Order among the frames of one connection, its opening included. */
  readonly connectionLanes: Lanes<Transport>;
  /** Order among the events of one channel. */
  readonly publishLanes: Lanes<string>;
  /** Departures, on their way to the disconnect pipeline. */
  readonly departures: Pick<Subject<Departed>, 'next'>;
  /** Ends a connection from the server's side. */
  readonly disconnect: Disconnect;
}

export type ServiceName = keyof Services;
