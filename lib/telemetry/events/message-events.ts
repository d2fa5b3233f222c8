import type { EventEntry } from '../event-entry.ts';

/** Messages of clients, events of publishers, and the HTTP API. */
export const messageEvents = {
  'message.received': {
    level: 'debug',
    doc: 'A frame of a client was read and understood.',
    fields: { appId: 'string', socketId: 'string', kind: 'string', bytes: 'number' },
  },
  'message.refused': {
    level: 'of-error',
    doc: 'A frame of a client was answered with an error: a mistake of the client, not of the server.',
    limited: true,
    fields: { appId: 'string', socketId: 'string', code: 'code', event: 'string?' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_messages_refused_total',
        help: 'Frames of clients answered with an error, by error code',
        labels: ['code'],
      },
    ],
  },
  'client-event.sent': {
    level: 'debug',
    doc: 'A client event was sent on to the other subscribers of its channel.',
    fields: { appId: 'string', socketId: 'string', channel: 'string', event: 'string', bytes: 'number' },
  },
  'event.published': {
    level: 'debug',
    doc: 'An event was accepted from a publisher and handed to its channels.',
    fields: { appId: 'string', channels: 'strings', bytes: 'number', publisher: ['http'] },
  },
  'fanout.inline': {
    level: 'warn',
    doc: 'The pending list of a channel reached its cap and was written at once instead of at the end of the tick.',
    fields: { appId: 'string', channel: 'string', entries: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_fanout_inline_total',
        help: 'Pending lists that reached their cap and were written at once',
      },
    ],
  },
  'http.answered': {
    level: 'debug',
    doc: 'A request to the HTTP API was answered.',
    fields: { method: 'string', path: 'string', status: 'number', durationMs: 'number' },
  },
  'http.refused': {
    level: 'of-error',
    doc: 'A request to the HTTP API was answered with an error.',
    limited: true,
    fields: { path: 'string', status: 'number', code: 'code', appId: 'string?' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_http_refused_total',
        help: 'Requests to the HTTP API answered with an error, by error code',
        labels: ['code'],
      },
    ],
  },
} as const satisfies Record<string, EventEntry>;
