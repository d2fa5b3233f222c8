import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type Relay, startRelay } from '../../support/relay.ts';
import { type LinkRig, makeRig, openRig } from './link-rig.ts';

const password = 'correct-horse-battery';
const opened: (LinkRig | RedisServer | Relay)[] = [];

const withRedis = async (...args: Parameters<typeof startRedis>): Promise<RedisServer> =>
  kept(await startRedis(...args));

function kept<T extends LinkRig | RedisServer | Relay>(part: T): T {
  opened.unshift(part);
  return part;
}

beforeEach(() => {
  jest.spyOn(console, 'error');
  jest.spyOn(console, 'warn');
});

afterEach(async () => {
  for (const part of opened.splice(0)) await ('close' in part ? part.close() : part.stop());
  expect(console.error).not.toHaveBeenCalled();
  expect(console.warn).not.toHaveBeenCalled();
  jest.restoreAllMocks();
});

async function failureOf(rig: LinkRig): Promise<SpillwayError> {
  const failure = await rig.link.open().catch((error: unknown) => error);
  if (!(failure instanceof SpillwayError))
    throw new Error('it opened, or failed otherwise', { cause: failure });
  return failure;
}

describe('a Redis that cannot be used', () => {
  it('is named, with why, and what to do', async () => {
    const gone = await startRedis();
    await gone.stop();
    const failure = await failureOf(kept(makeRig({ url: gone.url })));
    expect(failure.code).toBe('redis.unreachable');
    expect(failure.message).toBe(
      `Redis at 127.0.0.1:${gone.port} could not be used within 5 s: connect ECONNREFUSED 127.0.0.1:${gone.port}. ` +
        'Start it, or correct the redis settings',
    );
  });

  it('for its password is told without the password, in the error and in every event', async () => {
    const redis = await withRedis({ password });
    const rig = kept(makeRig({ url: `redis://:${password}-wrong@127.0.0.1:${redis.port}` }));
    const failure = await failureOf(rig);
    expect(failure.message).toContain('WRONGPASS');
    const without = await failureOf(kept(makeRig({ url: `redis://127.0.0.1:${redis.port}` })));
    expect(without.message).toContain('NOAUTH');
    expect(JSON.stringify([failure, failure.message, failure.stack, rig.events.events])).not.toContain(
      password,
    );
  });

  it('that is no Cluster, or is one, is refused with the setting to correct', async () => {
    const single = await withRedis();
    const asCluster = await failureOf(kept(makeRig({ url: single.url, cluster: true })));
    expect(asCluster.message).toMatch(/cluster support disabled|no node of a Cluster/);
    const node = await withRedis({ args: ['--cluster-enabled', 'yes'] });
    const asSingle = await failureOf(kept(makeRig({ url: node.url })));
    expect(asSingle.code).toBe('redis.unsuitable');
    expect(asSingle.message).toContain('it is a node of a Cluster: set redis.cluster');
  });

  it('by sentinels that do not answer is told with their addresses', async () => {
    const sentinels = { name: 'main', nodes: ['127.0.0.1:1'] };
    const failure = await failureOf(kept(makeRig({ url: `redis://:${password}@x`, sentinels })));
    expect(failure.message).toContain('Redis at main of sentinels 127.0.0.1:1 could not be used');
    expect(failure.message).toContain('All sentinels are unreachable');
    expect(failure.message).not.toContain(password);
  });
});

describe('a Redis that is opened', () => {
  it('with a password works, and the password is in no event when it is lost', async () => {
    const redis = await withRedis({ password });
    const rig = kept(await openRig({ url: redis.url }));
    await rig.link.run('apply', 0, []);
    const down = rig.until(false);
    await redis.kill();
    await down;
    const failure = await rig.link.run('apply', 0, []).catch((error: unknown) => error as Error);
    expect(JSON.stringify([failure, String(failure), rig.events.events])).not.toContain(password);
    expect(rig.events.all('redis.lost')).toHaveLength(1);
  });

  it('without append-only file, or with one that evicts, is warned about', async () => {
    const redis = await withRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    const rig = kept(await openRig({ url: redis.url }));
    const address = `127.0.0.1:${redis.port}`;
    expect(rig.events.all('redis.evicts')).toEqual([{ address, policy: 'allkeys-lru' }]);
    expect(rig.events.all('redis.no-aof')).toEqual([{ address }]);
    const good = kept(await openRig({ url: (await withRedis({ appendonly: true })).url }));
    expect(good.events.events.map(({ name }) => name)).toEqual(['redis.connected']);
  });

  it('keeps databases apart', async () => {
    const redis = await withRedis();
    const rig = kept(await openRig({ url: `${redis.url}/2` }));
    await rig.link.run('apply', 0, []);
    expect(await redis.cli('INFO', 'keyspace')).toContain('db2:keys=1');
  });
});

describe('the network between', () => {
  let relay: Relay;
  let rig: LinkRig;
  const topic = { partition: 0, name: 'c:app:a' };

  beforeEach(async () => {
    relay = kept(await startRelay((await withRedis()).port));
    rig = kept(await openRig({ url: `redis://127.0.0.1:${relay.port}` }));
    await rig.link.listen([topic]);
  });

  it('that is cut takes the link down, and it is up within five seconds of its return', async () => {
    const down = rig.until(false, 1000);
    relay.cut();
    await down;
    const [up, gap] = [rig.until(true), rig.nextGap()];
    relay.heal();
    await Promise.all([up, gap]);
    await rig.link.run('apply', 0, []);
  });

  it('that swallows everything takes the link down within a second, and it is up after it', async () => {
    relay.freeze();
    const call = rig.link.run('apply', 0, []).catch((error: unknown) => error);
    await rig.until(false, 1000);
    expect(await call).toBeInstanceOf(Error);
    const up = rig.until(true);
    relay.heal();
    await up;
    // On a busy machine its first answers may be late enough to take it down once more.
    const answered = (): Promise<boolean> =>
      rig.link.run('apply', 0, []).then(
        () => true,
        () => false,
      );
    while (!(await answered())) await rig.until(true);
  });

  it('that is slow does not', async () => {
    relay.delay(100);
    await Promise.all([1, 2, 3].map(() => rig.link.run('apply', 0, [])));
    const heard = rig.nextMessage('late');
    rig.link.publish(topic, 'late');
    await heard;
    expect(rig.events.all('redis.lost')).toEqual([]);
  });
});

describe('a link that is closed', () => {
  it('has sent what it was given, ends its streams and refuses calls', async () => {
    const redis = await withRedis();
    const [listener, rig] = [
      kept(await openRig({ url: redis.url })),
      kept(await openRig({ url: redis.url })),
    ];
    const topic = { partition: 0, name: 'c:app:a' };
    await listener.link.listen([topic]);
    const heard = listener.nextMessage('999');
    for (let at = 0; at < 1000; at++) rig.link.publish(topic, String(at));
    await rig.link.close();
    await heard;
    expect(listener.messages).toHaveLength(1000);
    expect(rig.link.isUp).toBe(false);
    expect(rig.link.publish(topic, 'late')).toBe(false);
    await expect(rig.link.run('apply', 0, [])).rejects.toThrow('closed');
  });
});
