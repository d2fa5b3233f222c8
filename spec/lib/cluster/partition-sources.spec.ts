import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Group, GroupSource } from '../../../lib/cluster/group-source.ts';
import { PartitionSources } from '../../../lib/cluster/partition-sources.ts';
import { elapse, useVirtualTime } from '../../support/virtual-time.ts';
import { nodeOn } from './fake-node.ts';

beforeEach(() => useVirtualTime());
afterEach(() => {
  jest.useRealTimers();
});

/** Of its changes only the last one is told to the store; those before it are done once they are taken. */
class MostlyQuietSource implements GroupSource {
  changes: number;
  answered = 0;

  constructor(changes: number) {
    this.changes = changes;
  }

  take(_partition: number, room: number): readonly Group[] {
    if (this.changes === 0) return [];
    this.changes -= Math.min(room, this.changes);
    return this.changes > 0
      ? []
      : [{ args: ['e', '', '', '', 'last'], changes: 1, answered: () => this.answered++ }];
  }

  waiting(): { readonly changes: number; readonly isUrgent: boolean } {
    return { changes: this.changes, isUrgent: this.changes > 0 };
  }

  away(): void {
    throw new Error('the store is there');
  }

  returned(): void {
    throw new Error('the store was there');
  }

  assertAll(): void {
    throw new Error('the name is good');
  }
}

describe('the sources of a partition', () => {
  test('are asked on while what they have is done without the store', () => {
    const source = new MostlyQuietSource(1_000);
    const batch = new PartitionSources([source], 0).take();
    expect([batch?.groups, source.changes]).toEqual([1, 0]);
  });

  test('are not asked for ever when they have something and give nothing', () => {
    const source = new MostlyQuietSource(1);
    source.take = () => [];
    expect(new PartitionSources([source], 0).take()).toBeUndefined();
  });

  test('do not wait for the next renewal with what comes behind a thousand changes that need no telling', async () => {
    const { node } = nodeOn();
    const source = new MostlyQuietSource(1_000);
    node.addSource(source);
    await node.open();
    node.poke(0);
    await elapse(1);
    expect([source.changes, source.answered]).toEqual([0, 1]);
    await node.close();
  });
});
