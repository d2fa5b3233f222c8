import { describe, expect, test } from '@jest/globals';
import { tenth } from '../../chaos/cluster/times.ts';
import { killOneOfThree } from '../../faults/kill.ts';
import { pauseAnOwner } from '../../faults/stop.ts';

const crowd = { sockets: 400, channels: 40, observed: 8 };

/** The real times, and thousands of sockets: `npm run faults:kill`, `npm run faults:stop`. */
describe('one of several nodes', () => {
  test('is killed: its sockets leave everywhere, each is told once and in time', async () => {
    const { figures, problems } = await killOneOfThree({
      ...crowd,
      reconnects: false,
      times: tenth,
      withinMs: 10_000,
    });
    expect(problems).toEqual([]);
    expect(figures['told']).toBe(200 + 40 - 8);
  }, 60_000);

  test('is killed and all of its clients come back to the others: nobody has left', async () => {
    const times = { ...tenth, cluster: { ...tenth.cluster, leaseMs: 5_000 } };
    const { figures, problems } = await killOneOfThree({
      ...crowd,
      reconnects: true,
      times,
      withinMs: 10_000,
    });
    expect(problems).toEqual([]);
    expect(figures['told']).toBe(0);
  }, 60_000);

  test('is paused for longer than its lease: it changes nothing and tells nothing when it goes on', async () => {
    const { figures, problems } = await pauseAnOwner({ times: tenth, stopMs: 6_000 });
    expect(problems).toEqual([]);
    expect(figures['begunAnewPartitions']).toBe(16);
  }, 60_000);
});
