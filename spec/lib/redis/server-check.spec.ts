import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { checkServers } from '../../../lib/redis/server-check.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';

const good = {
  redis_version: '7.0.15',
  cluster_enabled: '0',
  maxmemory_policy: 'noeviction',
  aof_enabled: '1',
};

/** A server that answers INFO with these fields; without any it does not allow the question. */
function serverSaying(fields?: Readonly<Record<string, string>>): Redis {
  const lines = Object.entries(fields ?? {}).map(([name, value]) => `${name}:${value}`);
  const info =
    fields === undefined ? Promise.reject(new Error('NOPERM')) : Promise.resolve(lines.join('\r\n'));
  return { info: () => info } as unknown as Redis;
}

async function check(
  fields?: Readonly<Record<string, string>>,
  isCluster = false,
): Promise<[string, string[]]> {
  const telemetry = new Telemetry();
  const told: string[] = [];
  telemetry.events$.subscribe(({ name }) => told.push(name));
  return [await checkServers(serverSaying(fields), isCluster, 'redis:6379', telemetry), told];
}

describe('the check of a server', () => {
  it('answers the version, and says nothing of one that keeps everything', async () => {
    expect(await check(good)).toEqual(['7.0.15', []]);
  });

  it('goes on silently where it may not ask', async () => {
    expect(await check()).toEqual(['', []]);
    expect(await check({ redis_version: '7.2.4' })).toEqual(['7.2.4', []]);
  });

  it.each([
    [{ maxmemory_policy: 'allkeys-lru' }, 'redis.evicts'],
    [{ aof_enabled: '0' }, 'redis.no-aof'],
  ])('warns of %j', async (fields, event) => {
    expect(await check({ ...good, ...fields })).toEqual(['7.0.15', [event]]);
  });

  it.each([
    [{ redis_version: '6.0.20' }, false, 'it is version 6.0.20, 6.2 or newer is needed'],
    [{ redis_version: '5.9.9' }, false, 'it is version 5.9.9, 6.2 or newer is needed'],
    [{ redis_version: '6.2.14', cluster_enabled: '1' }, true, '6.2.14, 7.0 or newer is needed on a Cluster'],
    [{ cluster_enabled: '1' }, false, 'it is a node of a Cluster: set redis.cluster'],
    [{ cluster_enabled: '0' }, true, 'it is no node of a Cluster: unset redis.cluster'],
  ])('refuses %j (on a Cluster: %s)', async (fields, isCluster, problem) => {
    await expect(check({ ...good, ...fields }, isCluster)).rejects.toMatchObject({
      code: 'redis.unsuitable',
      message: expect.stringContaining(problem),
    });
  });

  it.each(['6.2.0', '7.0.0', '8.2.1', '10.0.0'])('takes version %s', async (version) => {
    expect(await check({ ...good, redis_version: version })).toEqual([version, []]);
  });
});
