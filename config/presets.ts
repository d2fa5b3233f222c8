import type { RawObject } from './raw.ts';
import type { Config } from './schema.ts';

/**
 * What each preset sets in place of the default. A value that the file, the environment or a flag gives always wins.
 * `balanced` is the defaults themselves.
 */
export const presets: Readonly<Record<Config['preset'], RawObject>> = {
  balanced: {},
  'high-throughput': {
    cleanup: { queueCapacity: 50_000, batchSize: 128, batchWindowMs: 100, announceWindowMs: 100 },
    webhooks: { batchSize: 100, batchWindowMs: 500, concurrency: 40 },
  },
  'low-latency': {
    cleanup: { batchSize: 32, batchWindowMs: 10, announceWindowMs: 10 },
    webhooks: { batchWindowMs: 50 },
  },
};

/** The values of a preset; none for a name that does not exist, which the schema reports. */
export function presetValues(name: unknown): RawObject {
  return typeof name === 'string' && Object.hasOwn(presets, name) ? presets[name as Config['preset']] : {};
}
