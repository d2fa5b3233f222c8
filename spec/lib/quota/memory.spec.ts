import { expect, test } from '@jest/globals';
import { MemoryConnectionQuota } from '../../../lib/quota/memory.ts';
import { everyStores } from '../stores.ts';
import { describeConnectionQuota } from './connection-quota.contract.ts';

for (const fixture of everyStores) describeConnectionQuota(fixture);

test('in memory the quota says what is in use', () => {
  const quota = new MemoryConnectionQuota();
  quota.acquire('app-1', 0);
  quota.acquire('app-1', 0);
  quota.release('app-1', 1);
  expect([quota.used('app-1'), quota.used('app-2')]).toEqual([1, 0]);
});
