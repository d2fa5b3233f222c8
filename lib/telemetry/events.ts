import type { EventEntry, FieldsOf } from './event-entry.ts';
import { busEvents } from './events/bus-events.ts';
import { channelEvents } from './events/channel-events.ts';
import { clusterEvents } from './events/cluster-events.ts';
import { connectionEvents } from './events/connection-events.ts';
import { messageEvents } from './events/message-events.ts';
import { outboxEvents } from './events/outbox-events.ts';
import { redisEvents } from './events/redis-events.ts';
import { serverEvents } from './events/server-events.ts';
import { stageEvents } from './events/stage-events.ts';
import { webhookEvents } from './events/webhook-events.ts';
import { workerEvents } from './events/worker-events.ts';

/**
 * Everything the server says, once: the name is the `msg` of a log line and the `event` label of a metric. To add an
 * event, add a row to one of the groups; the types, the page `docs/events.md` and the metrics follow from it.
 */
export const events = {
  ...serverEvents,
  ...connectionEvents,
  ...channelEvents,
  ...messageEvents,
  ...stageEvents,
  ...outboxEvents,
  ...webhookEvents,
  ...redisEvents,
  ...clusterEvents,
  ...busEvents,
  ...workerEvents,
} as const satisfies Record<string, EventEntry>;

/** The groups of the catalogue, in the order of the page. */
export const eventGroups = {
  Server: serverEvents,
  Connections: connectionEvents,
  'Channels and users': channelEvents,
  Messages: messageEvents,
  Pipelines: stageEvents,
  Outbox: outboxEvents,
  Webhooks: webhookEvents,
  Redis: redisEvents,
  Cluster: clusterEvents,
  'Between nodes': busEvents,
  Workers: workerEvents,
} as const satisfies Record<string, Readonly<Record<string, EventEntry>>>;

export type EventName = keyof typeof events;

/** The fields of one event, such as `EventFields<'connection.opened'>`. */
export type EventFields<N extends EventName> = FieldsOf<(typeof events)[N]['fields']>;

/** The row of an event, with the types of the catalogue rather than of that one row. */
export function entryOf(name: EventName): EventEntry {
  return events[name];
}
