import { expect, test } from '@jest/globals';
import { MemorySignedInUsers } from '../../../lib/users/memory.ts';
import { everyStores } from '../stores.ts';
import { describeSignedInUsers } from './signed-in-users.contract.ts';

for (const fixture of everyStores) describeSignedInUsers(fixture);

test('in memory a user who signed out is forgotten', () => {
  const users = new MemorySignedInUsers(() => undefined);
  const change = { appId: 'app-1', userId: 'ada', socketId: '1.1' };
  users.apply([
    { kind: 'sign-in', ...change },
    { kind: 'sign-out', ...change },
  ]);
  expect(users.size).toBe(0);
});
