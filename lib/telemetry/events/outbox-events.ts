import type { EventEntry } from '../event-entry.ts';

/** What endpoints have yet to be told, over restarts. */
export const outboxEvents = {
  'outbox.coalesced': {
    level: 'warn',
    doc: 'The backlog of an app was full: events of an endpoint that cancelled each other were left out, and it will be told.',
    limited: true,
    fields: { appId: 'string', endpointId: 'string', events: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_coalesced_total',
        help: 'Events that a full backlog left out',
        labels: ['appId', 'endpointId'],
        by: 'events',
      },
    ],
  },
  'outbox.dead-lettered': {
    level: 'error',
    doc: 'Events of an endpoint were given up: it did not take them within the retention. They are kept for a replay.',
    limited: true,
    fields: { appId: 'string', endpointId: 'string', events: 'number', reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_dead_lettered_total',
        help: 'Events that became dead letters',
        labels: ['appId', 'endpointId'],
        by: 'events',
      },
    ],
  },
  'outbox.expired': {
    level: 'error',
    doc: 'Events that an endpoint was never told are kept no longer: old dead letters, or the backlog of an endpoint that is configured no more.',
    limited: true,
    fields: { appId: 'string', endpointId: 'string', events: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_expired_total',
        help: 'Events that were never delivered and are kept no longer',
        labels: ['appId', 'endpointId'],
        by: 'events',
      },
    ],
  },
  'outbox.dropped': {
    level: 'error',
    doc: 'The store was away for so long that events of an app which are not of the lifecycle found no room in this node’s memory: the oldest were left out.',
    limited: true,
    fields: { appId: 'string', events: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_dropped_total',
        help: 'Events left out while the store was away',
        labels: ['appId'],
        by: 'events',
      },
    ],
  },
  'outbox.restored': {
    level: 'info',
    doc: 'The spool file of an earlier process was read: what it had not delivered goes on.',
    fields: { file: 'string', events: 'number' },
  },
  'outbox.spooled': {
    level: 'info',
    doc: 'At the end of a stop: what endpoints have not been told was written to the spool file, or beside it when one is there already.',
    fields: { file: 'string', events: 'number' },
  },
  'outbox.spool-failed': {
    level: 'error',
    doc: 'At the end of a stop: the spool file could not be written, so events that were not delivered are lost.',
    fields: { file: 'string', events: 'number', reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_spool_failures_total',
        help: 'Spool files that could not be written at a stop',
      },
    ],
  },
  'outbox.lost': {
    level: 'error',
    doc: 'At the end of a stop: events were not delivered and no `webhooks.spoolFile` is set, so they are lost.',
    fields: { events: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_lost_total',
        help: 'Events lost at a stop for want of a spool file',
        by: 'events',
      },
    ],
  },
} as const satisfies Record<string, EventEntry>;
