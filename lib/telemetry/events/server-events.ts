import type { EventEntry } from '../event-entry.ts';

/** The process: start, stop, configuration, and the log itself. */
export const serverEvents = {
  'server.starting': {
    level: 'info',
    doc: 'The configuration was read and the parts are being built.',
    fields: { version: 'string', pid: 'number', node: 'string' },
  },
  'server.listening': {
    level: 'info',
    doc: 'The server accepts connections: this line means ready.',
    fields: {
      host: 'string',
      port: 'number',
      adminPort: 'number?',
      apps: 'number',
      workers: 'number?',
      version: 'string',
    },
  },
  'server.draining': {
    level: 'info',
    doc: 'A stop was asked for: nothing new is accepted and the connections are closed in waves.',
    fields: { signal: 'string?', connections: 'number' },
  },
  'server.stopped': {
    level: 'info',
    doc: 'Everything was closed and flushed; the process ends with exit code 0.',
    fields: { durationMs: 'number' },
  },
  'server.failed': {
    level: 'fatal',
    doc: 'The server could not start, or cannot go on: the process ends.',
    fields: { code: 'code', err: 'error' },
  },
  'config.warning': {
    level: 'warn',
    doc: 'A setting works but is probably not what was meant.',
    fields: { code: 'string', message: 'string' },
  },
  'server.direct-writes-off': {
    level: 'info',
    doc: 'Frames are written through the streams of the sockets, which costs more: this Node.js did not pass the trial.',
    fields: { reason: 'string' },
  },
  'app.development': {
    level: 'warn',
    doc: 'No app is configured: the development app with a public secret is served, on loopback only.',
    fields: { appId: 'string', key: 'string', host: 'string', port: 'number' },
  },
  'process.warning': {
    level: 'warn',
    doc: 'Node.js warned about something in this process, such as a leak of listeners or a deprecation.',
    fields: { name: 'string', message: 'string', code: 'string?', stack: 'string?' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_process_warnings_total',
        help: 'Warnings that Node.js gave about this process',
      },
    ],
  },
  'admin.failed': {
    level: 'error',
    doc: 'A request to the admin listener could not be answered.',
    fields: { path: 'string', err: 'error' },
  },
  'log.suppressed': {
    level: 'warn',
    doc: 'More than 200 lines of one event came in a second: the rest of that second was counted, not written.',
    fields: { event: 'string', lines: 'number' },
  },
  'log.dropped': {
    level: 'warn',
    doc: 'Log lines were dropped because nobody read stdout fast enough; it is written once stdout takes lines again.',
    fields: { lines: 'number' },
  },
} as const satisfies Record<string, EventEntry>;
