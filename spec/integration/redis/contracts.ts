import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import fc from 'fast-check';
import { describeCachedEvents } from '../../lib/cache/cached-events.contract.ts';
import { describeMembershipStore } from '../../lib/membership/membership-store.contract.ts';
import { describeRecordedLifecycle } from '../../lib/membership/recorded-lifecycle.contract.ts';
import { describeOutbox } from '../../lib/outbox/outbox.contract.ts';
import { describeConnectionQuota } from '../../lib/quota/connection-quota.contract.ts';
import { describeSignedInUsers } from '../../lib/users/signed-in-users.contract.ts';
import { type Backend, redisFixture } from './stores.ts';

/** Every contract suite of the stores, over a real Redis. */
export function describeContracts(name: string, start: () => Promise<Backend>): void {
  // A new store for each run of a property is some connections; the properties run at length in memory.
  fc.configureGlobal({ numRuns: 20 });
  jest.setTimeout(120_000);

  describe(`on ${name}`, () => {
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
}
