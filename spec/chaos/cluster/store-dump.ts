import { Redis } from 'ioredis';

/** A key of Redis with what it holds, as far as leftovers are looked for in it. */
export type Stored =
  | { readonly type: 'hash'; readonly fields: Readonly<Record<string, string>>; readonly expires: boolean }
  | { readonly type: 'set'; readonly items: readonly string[] }
  | { readonly type: 'zset'; readonly scores: Readonly<Record<string, number>> }
  | { readonly type: 'list'; readonly length: number }
  | { readonly type: 'other' };

export interface StoreDump {
  readonly nowMs: number;
  readonly keys: ReadonlyMap<string, Stored>;
}

/** Everything that is in a Redis. */
export async function dumpStore(port: number): Promise<StoreDump> {
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  try {
    await redis.connect();
    const keys = await redis.keys('*');
    const entries = keys.map(async (key) => [key, await read(redis, key)] as const);
    const [seconds, micros] = await redis.time();
    return {
      nowMs: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000),
      keys: new Map(await Promise.all(entries)),
    };
  } finally {
    redis.disconnect();
  }
}

async function read(redis: Redis, key: string): Promise<Stored> {
  switch (await redis.type(key)) {
    case 'hash': {
      const [fields, ttl] = await Promise.all([redis.hgetall(key), redis.pttl(key)]);
      return { type: 'hash', fields, expires: ttl > 0 };
    }
    case 'set':
      return { type: 'set', items: await redis.smembers(key) };
    case 'zset': {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
      const pairs = flat.flatMap((text, at) => (at % 2 === 0 ? [[text, Number(flat[at + 1])] as const] : []));
      return { type: 'zset', scores: Object.fromEntries(pairs) };
    }
    case 'list':
      return { type: 'list', length: await redis.llen(key) };
    default:
      return { type: 'other' };
  }
}
