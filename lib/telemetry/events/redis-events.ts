import type { EventEntry } from '../event-entry.ts';

/** The way to the Redis that nodes share. */
export const redisEvents = {
  'redis.connected': {
    level: 'info',
    doc: 'At the start: Redis answers and can be used.',
    fields: { address: 'string', version: 'string', mode: ['single', 'sentinel', 'cluster'] },
  },
  'redis.lost': {
    level: 'error',
    doc: 'Redis does not answer, or not as it should: this node goes on with what it knows, and tries again until it does.',
    limited: true,
    fields: { address: 'string', reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_redis_lost_total',
        help: 'Times Redis could not be used any more',
      },
    ],
  },
  'redis.restored': {
    level: 'info',
    doc: 'Redis can be used again, and everything is listened to again.',
    limited: true,
    fields: { address: 'string', awayMs: 'number' },
  },
  'redis.gap': {
    level: 'warn',
    doc: 'Listening had stopped and works again: messages of other nodes may have been missed meanwhile, membership is repaired.',
    limited: true,
    fields: { address: 'string', topics: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_redis_gaps_total',
        help: 'Times messages of other nodes may have been missed',
      },
    ],
  },
  'redis.evicts': {
    level: 'warn',
    doc: 'At the start: Redis evicts keys when its memory is full, so state could vanish. Set maxmemory-policy to noeviction.',
    fields: { address: 'string', policy: 'string' },
  },
  'redis.no-aof': {
    level: 'warn',
    doc: 'At the start: Redis keeps no append-only file, so its restart loses what endpoints have not been told. Set appendonly to yes.',
    fields: { address: 'string' },
  },
} as const satisfies Record<string, EventEntry>;
