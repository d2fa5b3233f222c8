import { untilIdle } from './idle.ts';
import { LoadProcess } from './load-process.ts';
import { app, type BenchServer } from './servers.ts';

/** What the sockets of a warm-up subscribe to, as `open` of bench/load/crowd.js takes it. */
export interface WarmUpPlan {
  readonly count: number;
  readonly inFlight?: number;
  readonly channel?: string;
  readonly channelCount?: number;
  readonly channelsPerSocket?: number;
}

/** Channels of a warm-up begin with it. */
export const warmUpPrefix = 'warm-';

/**
 * As many sockets come, subscribe and go as will be counted: a server that has run for a while has seen that before, and
 * has its code compiled. Fewer do not do: a reset of a storm of 9,500 took 33 us behind 2,000 of them, and 29 behind 8,000; V8
 * was compiling on its other threads.
 */
export async function warmUp(server: BenchServer, way: 'end' | 'reset', plan: WarmUpPlan): Promise<void> {
  const crowd = new LoadProcess('crowd');
  try {
    const { port, protocol } = server;
    await crowd.ask('open', { ...app, port, protocol, inFlight: 200, prefix: warmUpPrefix, ...plan });
    await crowd.ask('drop', { way });
    await untilIdle(() => server.cpuMs());
  } finally {
    await crowd.kill();
  }
}
