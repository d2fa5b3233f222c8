import type { Figures, Scenario, ServerName } from '../scenario.ts';
import { type BenchRedis, besideRedis } from '../support/beside-redis.ts';
import { rssMibOf } from '../support/cpu.ts';
import { settledRssKib, untilIdle } from '../support/idle.ts';
import { LoadProcess } from '../support/load-process.ts';
import { app, type BenchServer, startServer } from '../support/servers.ts';

interface Shape {
  readonly count: number;
  /** Of the crowd's `open`: which channels there are. */
  readonly channels:
    | { readonly channel: string }
    | { readonly channelCount: number; readonly prefix: string };
  /** How long the memory must not change at the end. */
  readonly steadyMs: number;
}

const oneChannel = 'one channel';
const publicChannels = '500 channels';
const presenceChannels = 'presence channels of 10';
const onRedis = ', on Redis';
const perSecond = 200;

/** What arriving costs: connect, greeting, one subscription; and what others notice meanwhile. */
export const scenario: Scenario = {
  name: 'connections',
  question: 'connect and subscribe to one channel: what does a connection cost, and what do others notice?',
  servers: ['spillway', 'naive', 'ws', 'soketi'],
  cases: ({ quick }) => [
    oneChannel,
    ...(quick ? [] : [publicChannels, presenceChannels]),
    `${publicChannels}${onRedis}`,
    `${presenceChannels}${onRedis}`,
  ],
  run: async (server, name, { quick }) => {
    if (!hasPart(server, name)) return undefined;
    const shape = shapeOf(name, quick);
    return name.endsWith(onRedis)
      ? await besideRedis((redis) => arrive(server, shape, redis))
      : await arrive(server, shape);
  },
  columns: [
    { figure: 'cpuUsPerConnection', title: 'CPU us/connection', over: ['ws', 'soketi'] },
    { figure: 'rssKibPerConnection', title: 'RSS KiB/connection', over: ['ws', 'soketi'] },
    { figure: 'connectionsPerSecond', title: 'connections/s' },
    { figure: 'calmP99Ms', title: 'neighbour p99 ms before' },
    { figure: 'arrivalP99Ms', title: 'during the arrival', over: ['ws', 'soketi'] },
    { figure: 'neighbourLateMs', title: 'neighbour itself late ms' },
    { figure: 'redisCpuUsPerConnection', title: 'Redis CPU us/connection' },
    { figure: 'crowdCpuShare', title: 'share of its processor the load used' },
  ],
  targets: [
    {
      name: 'CPU per connection, x soketi',
      cases: [oneChannel],
      figure: 'cpuUsPerConnection',
      of: 'spillway',
      over: 'soketi',
      most: 0.4,
      stretch: 0.3,
    },
    {
      name: 'RSS KiB per connection',
      cases: [oneChannel, publicChannels],
      figure: 'rssKibPerConnection',
      of: 'spillway',
      most: 10,
      stretch: 8,
    },
    {
      name: 'p99 ms of others during the arrival',
      figure: 'arrivalP99Ms',
      of: 'spillway',
      most: 100,
    },
  ],
};

/** The bare server has no presence channels, and only Spillway is measured on Redis. */
function hasPart(server: ServerName, name: string): boolean {
  if (name.endsWith(onRedis)) return server === 'spillway';
  return server !== 'ws' || name !== presenceChannels;
}

function shapeOf(name: string, quick: boolean): Shape {
  const count = quick ? 2_000 : 10_000;
  const steadyMs = quick ? 300 : 3_000;
  if (name === oneChannel) return { count, channels: { channel: 'everyone' }, steadyMs };
  return name.startsWith(presenceChannels)
    ? { count, channels: { channelCount: count / 10, prefix: 'presence-room-' }, steadyMs }
    : { count, channels: { channelCount: 500, prefix: 'lobby-' }, steadyMs };
}

async function arrive(name: ServerName, shape: Shape, redis?: BenchRedis): Promise<Figures> {
  const crowd = new LoadProcess('crowd');
  const neighbour = new LoadProcess('neighbour');
  let server: BenchServer | undefined;
  try {
    server = await startServer(name, { config: redis?.config ?? {} });
    return await measure(server, shape, { crowd, neighbour, redis });
  } finally {
    await Promise.all([crowd.kill(), neighbour.kill()]);
    await server?.stop();
  }
}

interface Beside {
  readonly crowd: LoadProcess;
  readonly neighbour: LoadProcess;
  readonly redis: BenchRedis | undefined;
}

async function measure(
  server: BenchServer,
  shape: Shape,
  { crowd, neighbour, redis }: Beside,
): Promise<Figures> {
  const { count, channels, steadyMs } = shape;
  const target = { ...app, port: server.port, protocol: server.protocol };
  await neighbour.ask('connect', target);
  const aloneMs = server.cpuMs();
  const calm = await neighbour.ask<{ sent: number; p99: number }>('measure', {
    perSecond,
    durationMs: 1_000,
  });
  const usPerEvent = ((server.cpuMs() - aloneMs) * 1000) / calm.sent;

  const rssKib = rssMibOf(server.pid) * 1024;
  const [cpuMs, crowdMs, redisMs] = [server.cpuMs(), crowd.cpuMs(), redis?.cpuMs() ?? 0];
  await neighbour.ask('start', { perSecond });
  const opening = { ...target, count, inFlight: 200, channelsPerSocket: 1, ...channels };
  const { tookMs } = await crowd.ask<{ tookMs: number }>('open', opening);
  const arrival = await neighbour.ask<{ sent: number; p99: number; lateMs: number }>('stop');
  const crowdCpuShare = (crowd.cpuMs() - crowdMs) / tookMs;
  const idle = await untilIdle(() => server.cpuMs());
  const redisCpuUs = redis === undefined ? undefined : (redis.cpuMs() - redisMs) * 1000;
  return {
    cpuUsPerConnection: ((idle.cpuMs - cpuMs) * 1000 - arrival.sent * usPerEvent) / count,
    rssKibPerConnection: ((await settledRssKib(server.pid, steadyMs)) - rssKib) / count,
    connectionsPerSecond: (count * 1000) / tookMs,
    calmP99Ms: calm.p99,
    arrivalP99Ms: arrival.p99,
    neighbourLateMs: arrival.lateMs,
    redisCpuUsPerConnection: redisCpuUs === undefined ? undefined : redisCpuUs / count,
    crowdCpuShare,
  };
}
