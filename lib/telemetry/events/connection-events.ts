import type { EventEntry } from '../event-entry.ts';

/** Connections: upgrade, establish, pause, close. */
export const connectionEvents = {
  'connection.opened': {
    level: 'info',
    doc: 'A connection was established and was sent its socket id.',
    fields: {
      appId: 'string',
      socketId: 'string',
      remoteAddress: 'string',
      protocol: 'number?',
      client: 'string?',
    },
    metrics: [
      { kind: 'counter', name: 'spillway_connections_opened_total', help: 'Connections established' },
    ],
  },
  'connection.refused': {
    level: 'of-error',
    doc: 'A WebSocket was accepted, told why it cannot stay, and closed.',
    limited: true,
    fields: { appId: 'string?', code: 'code', closeCode: 'number', remoteAddress: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_connections_refused_total',
        help: 'Connections refused, by error code',
        labels: ['code'],
      },
    ],
  },
  'connection.closed': {
    level: 'info',
    doc: 'A connection ended; `cause` is what ended it first.',
    fields: {
      appId: 'string',
      socketId: 'string',
      cause: [
        'client',
        'error',
        'pong-timeout',
        'slow',
        'limit',
        'terminated',
        'drain',
        'unauthorised',
        'stage',
      ],
      closeCode: 'number',
      durationMs: 'number',
      subscriptions: 'number',
    },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_connections_closed_total',
        help: 'Connections ended, by what ended them',
        labels: ['cause'],
      },
    ],
  },
  'connection.paused': {
    level: 'debug',
    doc: 'A connection sent faster than its messages could be handled: its socket is not read for now.',
    fields: { appId: 'string', socketId: 'string', waiting: 'number' },
  },
  'connection.resumed': {
    level: 'debug',
    doc: 'A paused connection is read again.',
    fields: { appId: 'string', socketId: 'string', waiting: 'number' },
  },
  'upgrade.refused': {
    level: 'warn',
    doc: 'An HTTP request asked for a WebSocket and was refused before it became one.',
    limited: true,
    fields: { status: 'number', reason: 'string', remoteAddress: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_upgrades_refused_total',
        help: 'Upgrade requests refused, by HTTP status',
        labels: ['status'],
      },
    ],
  },
} as const satisfies Record<string, EventEntry>;
