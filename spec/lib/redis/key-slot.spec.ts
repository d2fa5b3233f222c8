import { expect, it } from '@jest/globals';
import { keySlot } from '../../../lib/redis/key-slot.ts';

it.each([
  ['123456789', 12739],
  ['foo', 12182],
  ['', 0],
])('the slot of %j is that of the specification of Redis Cluster', (tag, slot) => {
  expect(keySlot(tag)).toBe(slot);
});
