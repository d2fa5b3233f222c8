import { describe, expect, test } from '@jest/globals';
import { dropAll, idle } from '../../faults/commands.ts';

/** More of each: `npm run faults:commands`. */
describe('what Redis is asked', () => {
  test('is few scripts when 2,000 sockets in 100 channels end at once', async () => {
    // As for 10,000 in 500 channels: what bounds it is the partitions and how long the ends take, not their number.
    const { problems } = await dropAll({ sockets: 2_000, channels: 100, mostScripts: 200 });
    expect(problems).toEqual([]);
  }, 90_000);

  test('is little by a node with nothing to do', async () => {
    const { problems } = await idle({ nodes: 1, forMs: 4_000, mostPerSecond: 12 });
    expect(problems).toEqual([]);
  }, 30_000);
});
