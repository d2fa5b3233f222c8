import { z } from 'zod';

export const redisSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^rediss?$/ })
      .optional()
      .meta({
        description: 'Where Redis is: `redis://` or `rediss://`.',
        expects: 'a redis:// or rediss:// URL',
        writeOnly: true,
      }),
    cluster: z
      .boolean()
      .default(false)
      .describe('The URL names a node of a Redis Cluster; Redis 7.0 or newer.'),
    sentinels: z
      .strictObject({
        name: z.string().min(1).describe('Name of the group the sentinels watch.'),
        nodes: z
          .array(
            z
              .string()
              .regex(/^[^\s/]+:\d{1,5}$/)
              .meta({ expects: 'host:port' }),
          )
          .min(1)
          .meta({ description: 'Sentinels, as `host:port`.', writeOnly: true }),
      })
      .optional()
      .describe(
        'Find Redis through sentinels; the URL then gives user, password, database and, as `rediss://`, TLS for all of them.',
      ),
    keyPrefix: z
      .string()
      .max(100)
      .regex(/^[^{}\s]*$/)
      .default('spillway:')
      .meta({
        description: 'Start of every key and topic; deployments that share a Redis need different ones.',
        expects: 'text without spaces and braces, at most 100 characters',
      }),
  })
  .optional()
  .describe('Where state is shared between nodes; absent: embedded, in the memory of this process.');

export const clusterSchema = z
  .strictObject({
    leaseMs: z
      .int()
      .min(1000)
      .default(8000)
      .describe('A node that renewed nothing for this long is taken for dead.'),
    renewMs: z
      .int()
      .min(100)
      .default(2000)
      .describe('How often a node renews its lease; at most half of it.'),
    sweepMs: z
      .int()
      .min(100)
      .default(1000)
      .describe(
        'Accepted and not used: expired leases are looked for when they run out, and with each renewal.',
      ),
    partitions: z
      .int()
      .min(1)
      .max(1024)
      .default(16)
      .describe(
        'Partitions of the state; the same for every node, for ever. On a Redis Cluster 64 spread better.',
      ),
  })
  .prefault({})
  .describe('Several nodes on one Redis.');
