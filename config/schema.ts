import { z } from 'zod';
import { appSchema } from './app-schema.ts';
import {
  cacheSchema,
  cleanupSchema,
  deliverySchema,
  drainSchema,
  logSchema,
  sessionsSchema,
  webhooksSchema,
} from './runtime-schema.ts';
import { adminSchema, httpSchema, inboundSchema, serverSchema } from './server-schema.ts';
import { clusterSchema, redisSchema } from './state-schema.ts';

/**
 * Every setting: its type, bounds, default and meaning, once. The JSON Schema, the table in docs/configuration.md and
 * the names of the environment variables are made from it. A rate or cap of 0 means off; units stand in the names.
 */
export const configSchema = z.strictObject({
  preset: z
    .enum(['balanced', 'high-throughput', 'low-latency'])
    .default('balanced')
    .describe('A set of values for settings that are not given; see "Presets".'),
  server: serverSchema,
  http: httpSchema,
  inbound: inboundSchema,
  admin: adminSchema,
  apps: z.array(appSchema).default([]).describe('The tenants; none: one development app.'),
  redis: redisSchema,
  cluster: clusterSchema,
  cleanup: cleanupSchema,
  webhooks: webhooksSchema,
  drain: drainSchema,
  delivery: deliverySchema,
  sessions: sessionsSchema,
  cache: cacheSchema,
  log: logSchema,
  stages: z.array(z.string().min(1)).default([]).describe('Files or folders with pipeline stages to load.'),
});

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The whole configuration with every default filled in; `sessions` durations are milliseconds. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

/** One app of the configuration with every default filled in. */
export type AppConfig = Config['apps'][number];
