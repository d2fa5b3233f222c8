import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import fc from 'fast-check';
import { describeCachedEvents } from '../../lib/cache/cached-events.contract.ts';
import { describeMembershipStore } from '../../lib/membership/membership-store.contract.ts';
import { describeRecordedLifecycle } from '../../lib/membership/recorded-lifecycle.contract.ts';
import { describeOutbox } from '../../lib/outbox/outbox.contract.ts';
import { describeConnectionQuota } from '../../lib/quota/connection-quota.contract.ts';
import { describeSignedInUsers } from '../../lib/users/signed-in-users.contract.ts';
import { startRedis, startRedisCluster, startSentinel } from '../../support/redis.ts';
import { type Backend, redisFixture } from './stores.ts';

const backends: readonly (readonly [name: string, start: () => Promise<Backend>])[] = [
  [
    'redis',
    async () => {
      const redis = await startRedis();
      return { settings: { url: redis.url }, stop: () => redis.stop() };
    },
  ],
  [
    'sentinel',
    async () => {
      const group = await startSentinel();
      const { name, nodes } = group;
      return { settings: { sentinels: { name, nodes } }, stop: () => group.stop() };
    },
  ],
  [
    'cluster',
    async () => {
      const cluster = await startRedisCluster();
      return { settings: { url: cluster.url, cluster: true }, stop: () => cluster.stop() };
    },
  ],
];

/** `SPILLWAY_SPEC_REDIS` (`redis`, `sentinel` or `cluster`) chooses one. */
const wanted = process.env['SPILLWAY_SPEC_REDIS'] ?? '';

/** A new store for each run of a property is some connections; the properties themselves run at length in memory. */
fc.configureGlobal({ numRuns: 20 });
jest.setTimeout(60_000);

describe.each(backends.filter(([name]) => wanted === '' || name === wanted))('on %s', (name, start) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await start();
  });
  afterAll(async () => {
    await backend.stop();
  });

  const fixture = redisFixture(name, () => backend);
  describeMembershipStore(fixture);
  describeRecordedLifecycle(fixture);
  describeSignedInUsers(fixture);
  describeCachedEvents(fixture);
  describeConnectionQuota(fixture);
  describeOutbox(fixture);
});
