import { type RedisServer, startRedis } from '../../spec/support/redis.ts';
import { cpuMsOf } from './cpu.ts';
import { pinRunning } from './pin.ts';

/** A Redis of its own beside the load, for one run. */
export interface BenchRedis {
  /** For `config` of a server that uses it. */
  readonly config: { readonly redis: { readonly url: string } };
  readonly pid: number;
  /** Processor time it has used so far, in milliseconds. */
  cpuMs(): number;
}

/** Starts a Redis, does the work, and ends it. */
export async function besideRedis<Result>(work: (redis: BenchRedis) => Promise<Result>): Promise<Result> {
  const redis: RedisServer = await startRedis();
  try {
    pinRunning('load', redis.pid);
    const { url, pid } = redis;
    return await work({ config: { redis: { url } }, pid, cpuMs: () => cpuMsOf(pid) });
  } finally {
    await redis.stop();
  }
}
