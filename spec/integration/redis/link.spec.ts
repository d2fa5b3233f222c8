import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Reply, StoreAway } from '../../../lib/redis/store-link.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type LinkRig, openRig } from './link-rig.ts';

const a = { partition: 1, name: 'c:app:a' };
const b = { partition: 3, name: 'c:app:b' };

const countOf = (reply: Reply): unknown => (Array.isArray(reply) ? reply[0] : reply);

let redis: RedisServer;
let rig: LinkRig;

beforeEach(async () => {
  redis = await startRedis();
  rig = await openRig({ url: redis.url });
});

afterEach(async () => {
  await rig.close();
  await redis.stop();
});

describe('a script', () => {
  it('runs with the key of its partition, the shift of the clock before its arguments', async () => {
    expect(await rig.link.run('apply', 2, ['hello'])).toEqual([1, '0', 'hello', ['x', 1]]);
    expect(await redis.cli('GET', 'test:{2}:n')).toBe('1');
    const ahead = await openRig({ url: redis.url }, 4, () => 250);
    expect(await ahead.link.run('apply', 2, [7])).toEqual([2, '250', '7', ['x', 1]]);
    await ahead.close();
  });

  it('fails as Redis says when it is wrong itself, without what it was sent, and the link stays up', async () => {
    await rig.link.run('apply', 0, []);
    const failure = await rig.link.run('view', 0, ['secret-data']).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ message: expect.stringContaining('WRONGTYPE') });
    expect(failure).not.toBeInstanceOf(StoreAway);
    expect(failure).not.toHaveProperty('command');
    expect(rig.link.isUp).toBe(true);
  });

  it('whose file is missing fails by itself', async () => {
    await expect(rig.link.run('renew', 0, [])).rejects.toThrow(/renew\.lua/);
    await expect(rig.link.run('apply', 0, [])).resolves.toContain(1);
  });

  it('is known again after SCRIPT FLUSH and after a restart', async () => {
    await rig.link.run('apply', 0, []);
    await redis.cli('SCRIPT', 'FLUSH');
    const replies = await Promise.all([1, 2, 3].map(() => rig.link.run('apply', 0, [])));
    expect(replies.map(countOf)).toEqual([2, 3, 4]);
    const down = rig.until(false);
    await redis.restart();
    await down;
    await rig.until(true);
    expect(countOf(await rig.link.run('apply', 0, []))).toBe(1);
  });

  it('is counted and timed', async () => {
    await rig.link.run('apply', 0, []);
    await rig.link.run('apply', 0, []);
    expect(rig.link.metrics).toMatchObject({
      scriptCalls: 2,
      reconnects: 0,
      droppedPublishes: 0,
      waiting: 0,
    });
    expect(rig.link.metrics.meanScriptMs).toBeGreaterThan(0);
  });
});

describe('messages', () => {
  it('are heard by whoever listens, from scripts and from other nodes, in order', async () => {
    const other = await openRig({ url: redis.url });
    await rig.link.listen([a, b, { partition: 1, name: 'count' }]);
    await rig.link.listen([a]);
    for (let at = 0; at < 500; at++) expect(other.link.publish(a, String(at))).toBe(true);
    expect(other.link.publish(b, 'ü')).toBe(true);
    await rig.nextMessage('ü');
    const second = rig.nextMessage('2');
    await other.link.run('apply', 1, []);
    await other.link.run('apply', 1, []);
    await second;
    expect(rig.messages.filter(({ name }) => name === a.name).map(({ message }) => Number(message))).toEqual(
      Array.from({ length: 500 }, (_, at) => at),
    );
    expect(rig.messages.filter(({ name }) => name !== a.name)).toEqual([
      { ...b, message: 'ü' },
      { partition: 1, name: 'count', message: '1' },
      { partition: 1, name: 'count', message: '2' },
    ]);
    await other.close();
  });

  it('of a topic that was left are not heard, of one that was left and taken again they are', async () => {
    await rig.link.listen([a, b]);
    rig.link.unlisten([a]);
    rig.link.unlisten([b]);
    await rig.link.listen([b]);
    rig.link.unlisten([b]);
    const listening = rig.link.listen([b]);
    rig.link.unlisten([{ partition: 0, name: 'never' }]);
    await listening;
    rig.link.publish(a, 'left');
    rig.link.publish(b, 'taken');
    await rig.nextMessage('taken');
    expect(rig.messages).toEqual([{ ...b, message: 'taken' }]);
    expect(rig.link.metrics.topics).toBe(1);
  });
});

describe('a Redis that dies', () => {
  it('takes the link down within a second, and up within five of its return, everything listened to again', async () => {
    await rig.link.listen([a]);
    const down = rig.until(false, 1000);
    await redis.kill();
    await down;
    expect(rig.link.publish(a, 'lost')).toBe(false);
    await expect(rig.link.run('apply', 0, [])).rejects.toBeInstanceOf(StoreAway);
    const late = rig.link.listen([b]);
    const [up, gap] = [rig.until(true), rig.nextGap()];
    await redis.restart();
    await Promise.all([up, gap, late]);
    rig.link.publish(a, 'again');
    rig.link.publish(b, 'too');
    await rig.nextMessage('too');
    expect(rig.messages.map(({ message }) => message)).toEqual(['again', 'too']);
    expect(rig.gaps()).toBe(1);
    expect(rig.link.metrics).toMatchObject({ droppedPublishes: 1, reconnects: 2 });
    expect(rig.events.all('redis.lost')).toHaveLength(1);
    expect(rig.events.all('redis.restored')).toHaveLength(1);
  });

  it('fails the calls under way as away, and the link is down when they are told', async () => {
    await redis.kill('SIGSTOP');
    const call = rig.link.run('apply', 0, []).then(
      () => undefined,
      (error: unknown) => ({ error, isUp: rig.link.isUp }),
    );
    await redis.kill();
    expect(await call).toEqual({ error: expect.any(StoreAway), isUp: false });
  });
});

describe('a Redis that hangs', () => {
  it('takes the link down within a second, and up when it goes on', async () => {
    await rig.link.listen([a]);
    await redis.kill('SIGSTOP');
    const call = rig.link.run('apply', 0, []);
    await rig.until(false, 1000);
    const up = rig.until(true);
    await redis.kill('SIGCONT');
    await up;
    expect(countOf(await call)).toBe(1);
  });

  it('is still sent what is published, and passes it on when it goes on', async () => {
    await rig.link.listen([a]);
    await redis.kill('SIGSTOP');
    const call = rig.link.run('apply', 0, []);
    await rig.until(false, 1000);
    const heard = rig.nextMessage('meanwhile');
    expect(rig.link.publish(a, 'meanwhile')).toBe(true);
    await redis.kill('SIGCONT');
    await Promise.all([heard, call]);
    expect(rig.link.metrics).toMatchObject({ droppedPublishes: 0, reconnects: 0 });
  });

  it('for long fails the call after two seconds, and is back within five seconds of its return', async () => {
    await rig.link.listen([a]);
    await redis.kill('SIGSTOP');
    await expect(rig.link.run('apply', 0, [])).rejects.toBeInstanceOf(StoreAway);
    await expect(rig.until(true, 3000)).rejects.toThrow();
    const up = rig.until(true);
    await redis.kill('SIGCONT');
    await up;
    await rig.link.run('apply', 0, []);
    rig.link.publish(a, 'again');
    await rig.nextMessage('again');
  });
});

describe('the connection for listening', () => {
  const killListening = async (): Promise<string> => redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');

  it('killed by the server gives one gap, when everything is listened to again', async () => {
    const many = Array.from({ length: 1200 }, (_, at) => ({ partition: at % 4, name: `c:app:${at}` }));
    await rig.link.listen(many);
    const gap = rig.nextGap();
    expect(await killListening()).toBe('1');
    await gap;
    expect(await redis.cli('PUBLISH', 'test:{3}:t:c:app:1199', 'heard')).toBe('1');
    expect(await redis.cli('PUBSUB', 'NUMSUB', 'test:{0}:t:c:app:0')).toBe('test:{0}:t:c:app:0\n1');
    await rig.until(true);
    expect(rig.gaps()).toBe(1);
    expect(rig.events.all('redis.gap')).toEqual([
      { address: redis.url.slice('redis://'.length), topics: 1200 },
    ]);
  });

  it('takes the link down while it is away', async () => {
    await rig.link.listen([a]);
    const down = rig.until(false, 1000);
    await killListening();
    await down;
    await rig.until(true);
    expect(rig.link.metrics.reconnects).toBe(1);
  });
});

describe('a Redis that says not now', () => {
  it('is away until it says otherwise', async () => {
    await redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
    await expect(rig.link.run('apply', 0, [])).rejects.toBeInstanceOf(StoreAway);
    expect(rig.link.isUp).toBe(false);
    expect(rig.events.all('redis.lost')).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('NOREPLICAS') }),
    ]);
    const up = rig.until(true);
    await redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await up;
    expect(rig.events.all('redis.lost')).toHaveLength(1);
    await rig.link.run('apply', 0, []);
  });

  it.each([
    ['OOM', 'maxmemory', '1', '0'],
    ['READONLY', 'replicaof', '127.0.0.1 1', 'no one'],
  ])('with %s is away too', async (word, setting, on, off) => {
    const set = (value: string): Promise<string> =>
      setting === 'replicaof'
        ? redis.cli('REPLICAOF', ...value.split(' '))
        : redis.cli('CONFIG', 'SET', setting, value);
    await set(on);
    await expect(rig.link.run('apply', 0, [])).rejects.toThrow(word);
    await set(off);
    await rig.until(true);
    await rig.link.run('apply', 0, []);
  });
});
