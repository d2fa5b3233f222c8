import type { EventEntry } from '../event-entry.ts';

/** What nodes say to each other, and what they share besides membership. */
export const busEvents = {
  'bus.malformed': {
    level: 'warn',
    doc: 'Something on a topic of this deployment could not be understood and was left out: another version of the server, or a foreign publisher, writes there.',
    limited: true,
    fields: { topic: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_bus_malformed_total',
        help: 'Messages on topics that could not be understood',
      },
    ],
  },
  'store.failed': {
    level: 'error',
    doc: 'A question to the store, or what followed from its answer, failed for a reason of its own, although the store is there.',
    limited: true,
    fields: { part: ['bus', 'membership', 'cache', 'quota', 'outbox', 'users'], err: 'error' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_store_failures_total',
        help: 'Questions to the store that failed although it is there, by who asked',
        labels: ['part'],
      },
    ],
  },
} as const satisfies Record<string, EventEntry>;
