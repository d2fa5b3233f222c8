import type { Figures, Scenario, ServerName } from '../scenario.ts';
import { type BenchRedis, besideRedis } from '../support/beside-redis.ts';
import { untilIdle } from '../support/idle.ts';
import { LoadProcess } from '../support/load-process.ts';
import { app, type BenchServer, startServer } from '../support/servers.ts';
import { warmUpPrefix } from '../support/warm-up.ts';

interface Shape {
  readonly sockets: number;
  /** Of the burst before the one that counts. */
  readonly warmUpSockets: number;
  /** Each occupies that many channels of its own. */
  readonly channelsEach: number;
  /** Of Spillway's `webhooks`; absent: its default. */
  readonly graceMs?: number;
  /** How long a server must do nothing to be taken for done. */
  readonly quietMs: number;
}

/** The server's part of one burst, from the first connection until everything is over. */
interface Burst {
  readonly cpuMs: number;
  readonly redisCpuMs: number | undefined;
  /** From the first connection to the last `channel_occupied` at the receiver, where there is one. */
  readonly occupiedMs: number | undefined;
  readonly events: number;
  readonly requests: number;
  readonly receiverCpuMs: number;
}

/** What the receiver was told so far. */
interface Told {
  readonly events: number;
  readonly requests: number;
}

const nothing: Told = { events: 0, requests: 0 };
const inMemory = 'in memory';
const onRedis = 'on Redis';
const patienceMs = 120_000;

/**
 * Sockets subscribe to channels that nobody else has, all at once, and are reset: each channel is two events,
 * `channel_occupied` and `channel_vacated`. The same work on a server without endpoints is subtracted.
 */
export const scenario: Scenario = {
  name: 'webhooks',
  question: 'channels are occupied and vacated in a burst: what does a webhook event cost?',
  servers: ['spillway', 'naive', 'soketi'],
  cases: () => [inMemory, onRedis],
  run: async (server, name, { quick }) => {
    const shape = quick
      ? { sockets: 50, warmUpSockets: 50, channelsEach: 20, graceMs: 200, quietMs: 200 }
      : { sockets: 200, warmUpSockets: 50, channelsEach: 50, quietMs: 500 };
    if (name === onRedis && server === 'soketi') return undefined;
    return await compare(server, shape, name === onRedis);
  },
  columns: [
    {
      figure: 'cpuUsPerEvent',
      title: 'CPU us/event, less the same work without webhooks',
      over: ['soketi', 'naive'],
    },
    { figure: 'eventsPerCoreSecond', title: 'events/s per core' },
    {
      figure: 'wholeCpuUsPerEvent',
      title: 'CPU us/event with the work that makes it',
      over: ['soketi', 'naive'],
    },
    { figure: 'workCpuUsPerEvent', title: 'that work alone' },
    { figure: 'redisCpuUsPerEvent', title: 'Redis CPU us/event' },
    { figure: 'requestsPerEvent', title: 'POSTs/event', over: ['soketi', 'naive'] },
    { figure: 'toldPerEvent', title: 'told/event' },
    { figure: 'occupiedPerSecond', title: 'occupied at the receiver/s' },
    { figure: 'receiverCpuUsPerEvent', title: "receiver's CPU us/event" },
  ],
  targets: [
    {
      name: 'events/s per core',
      figure: 'eventsPerCoreSecond',
      of: 'spillway',
      least: 5_000,
    },
    { name: 'CPU us per event', cases: [onRedis], figure: 'cpuUsPerEvent', of: 'spillway', most: 100 },
    {
      name: 'POSTs without batching, x Spillway',
      figure: 'requestsPerEvent',
      of: 'naive',
      over: 'spillway',
      least: 2,
    },
  ],
};

async function compare(server: ServerName, shape: Shape, isOnRedis: boolean): Promise<Figures> {
  const run = (isTold: boolean): Promise<Burst> =>
    isOnRedis ? besideRedis((redis) => burst(server, shape, isTold, redis)) : burst(server, shape, isTold);
  const [work, told] = [await run(false), await run(true)];
  const channels = shape.sockets * shape.channelsEach;
  const usEach = (ms: number): number => (ms * 1000) / (2 * channels);
  const cpuUsPerEvent = usEach(told.cpuMs - work.cpuMs);
  return {
    cpuUsPerEvent,
    eventsPerCoreSecond: 1e6 / cpuUsPerEvent,
    wholeCpuUsPerEvent: usEach(told.cpuMs),
    workCpuUsPerEvent: usEach(work.cpuMs),
    redisCpuUsPerEvent:
      told.redisCpuMs === undefined ? undefined : usEach(told.redisCpuMs - (work.redisCpuMs ?? 0)),
    requestsPerEvent: told.requests / (2 * channels),
    toldPerEvent: told.events / (2 * channels),
    occupiedPerSecond: told.occupiedMs === undefined ? undefined : (channels * 1000) / told.occupiedMs,
    receiverCpuUsPerEvent: usEach(told.receiverCpuMs),
  };
}

async function burst(name: ServerName, shape: Shape, isTold: boolean, redis?: BenchRedis): Promise<Burst> {
  const crowd = new LoadProcess('crowd');
  const receiver = new LoadProcess('tally');
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
    server = await startServer(name, {
      ...(isTold ? { webhookPort } : {}),
      config: {
        ...redis?.config,
        ...(shape.graceMs === undefined ? {} : { webhooks: { graceMs: shape.graceMs } }),
      },
    });
    return await measure(server, shape, { crowd, receiver: isTold ? receiver : undefined, redis });
  } finally {
    await Promise.all([crowd.kill(), receiver.kill()]);
    await server?.stop();
  }
}

interface Beside {
  readonly crowd: LoadProcess;
  readonly receiver: LoadProcess | undefined;
  readonly redis: BenchRedis | undefined;
}

/** The second of two bursts: by then the code of the way is compiled. */
async function measure(server: BenchServer, shape: Shape, beside: Beside): Promise<Burst> {
  const { receiver, redis } = beside;
  const early = await visit(
    server,
    shape,
    beside,
    { sockets: shape.warmUpSockets, prefix: warmUpPrefix },
    nothing,
  );
  const [cpuMs, redisMs, receiverMs] = [server.cpuMs(), redis?.cpuMs() ?? 0, receiver?.cpuMs() ?? 0];
  const { occupiedMs, told } = await visit(
    server,
    shape,
    beside,
    { sockets: shape.sockets, prefix: 'visit-' },
    early.told,
  );
  return {
    cpuMs: server.cpuMs() - cpuMs,
    redisCpuMs: redis === undefined ? undefined : redis.cpuMs() - redisMs,
    occupiedMs: receiver === undefined ? undefined : occupiedMs,
    events: told.events - early.told.events,
    requests: told.requests - early.told.requests,
    receiverCpuMs: receiver === undefined ? 0 : receiver.cpuMs() - receiverMs,
  };
}

/** Occupies channels and vacates them; answers what the receiver has been told since it began to listen. */
async function visit(
  server: BenchServer,
  { channelsEach, quietMs }: Shape,
  { crowd, receiver }: Beside,
  { sockets, prefix }: { readonly sockets: number; readonly prefix: string },
  before: Told,
): Promise<{ readonly occupiedMs: number; readonly told: Told }> {
  const channels = sockets * channelsEach;
  const until = async (events: number): Promise<Told> =>
    (await receiver?.ask<Told>('until', { count: before.events + events, timeoutMs: patienceMs })) ?? nothing;
  const idle = (): Promise<unknown> => untilIdle(() => server.cpuMs(), { quietMs });
  await idle();
  const startedMs = performance.now();
  await crowd.ask('open', {
    ...app,
    port: server.port,
    protocol: server.protocol,
    count: sockets,
    inFlight: sockets,
    channelCount: channels,
    channelsPerSocket: channelsEach,
    prefix,
  });
  await until(channels);
  const occupiedMs = performance.now() - startedMs;
  await idle();
  await crowd.ask('drop', { way: 'reset' });
  const told = await until(2 * channels);
  await idle();
  return { occupiedMs, told };
}
