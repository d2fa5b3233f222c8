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
    cluster: z.boolean().default(false).describe('The URL names a node of a Redis Cluster.'),
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
      .describe('Find Redis through sentinels; the URL then gives user, password and database only.'),
    keyPrefix: z.string().max(100).default('spillway:').describe('Start of every key.'),
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
    sweepMs: z.int().min(100).default(1000).describe('How often expired leases are looked for.'),
    partitions: z
      .int()
      .min(1)
      .max(1024)
      .default(16)
      .describe('Partitions of the state; the same for every node, for ever.'),
  })
  .prefault({})
  .describe('Several nodes on one Redis.');
