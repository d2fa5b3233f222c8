import { describe, expect, test } from '@jest/globals';
import { partitionOf } from '../../../lib/cluster/partition.ts';

describe('the partition of a channel', () => {
  test('is the same for ever: stored positions depend on it', () => {
    const partitions = ['presence-room', 'private-x', 'y'].map((name) => partitionOf('app-1', name, 16));
    expect(partitions).toEqual([10, 9, 15]);
  });

  test('depends on the app too', () => {
    const partitions = Array.from({ length: 50 }, (_, n) => partitionOf(`app-${n}`, 'x', 16));
    expect(new Set(partitions).size).toBeGreaterThan(8);
  });

  test('is one of as many as there are', () => {
    const partitions = Array.from({ length: 200 }, (_, n) => partitionOf('app-1', `channel-${n}`, 3));
    expect([...new Set(partitions)].sort()).toEqual([0, 1, 2]);
  });
});
