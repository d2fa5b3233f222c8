import { describe, expect, test } from '@jest/globals';
import type { Fault } from '../../chaos/cluster/faults.ts';
import { tenth } from '../../chaos/cluster/times.ts';
import { takeRedisAway } from '../../faults/away.ts';
import { kills, strikeRedisUnderLoad } from '../../faults/redis.ts';
import { failOver } from '../../faults/sentinel.ts';

const seed = Date.now() % 1_000_000;
/** A lease that a busy machine can keep. */
const times = { ...tenth, cluster: { ...tenth.cluster, leaseMs: 5_000 } };
const within15s = { times, seed, withinMs: 15_000 };
const cutOff: Fault = { kind: 'link', node: 0, state: { kind: 'cut' }, forMs: 8_000 };

/** The real times, and more of each: `npm run faults:redis`, `faults:failover`, `faults:away`. */
describe(`two nodes under load (seed ${seed})`, () => {
  test.each<readonly [name: string, faults: readonly Fault[], allLive: boolean]>([
    ['killed and started again', kills(3, 50, 600), true],
    ['away for longer than the lease', [{ kind: 'redis-kill', forMs: 6_000 }], true],
    ['wiped', [{ kind: 'wipe' }], true],
    ['without its scripts', [{ kind: 'script-flush' }, { kind: 'script-flush' }], true],
    ['out of reach of one node for longer than its lease', [cutOff], false],
  ])(
    'agree with their clients soon after Redis was %s',
    async (name, faults, allLive) => {
      const { problems } = await strikeRedisUnderLoad(name, { ...within15s, faults, allLive });
      expect(problems).toEqual([]);
    },
    90_000,
  );

  test('agree with their clients soon after a failover', async () => {
    expect((await failOver(within15s)).problems).toEqual([]);
  }, 90_000);

  test('serve their clients while Redis is away, and are one server again soon after', async () => {
    expect((await takeRedisAway({ times: tenth, awayMs: 3_000 })).problems).toEqual([]);
  }, 60_000);
});
