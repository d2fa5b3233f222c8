import { readMetrics } from '../../spec/support/gauges.ts';
import type { BenchRedis } from './beside-redis.ts';
import { descriptorsOf } from './cpu.ts';
import { LoadProcess } from './load-process.ts';
import { app, type BenchServer, type ServerName, startServer } from './servers.ts';
import { warmUp } from './warm-up.ts';

/** How the sockets end: with a close frame and FIN, with RST, or without a sign. */
export type Way = 'end' | 'reset' | 'silent';
interface Measured {
  readonly sent: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly lateMs: number;
}

export interface Stormed {
  readonly calmP99: number;
  readonly stormP50: number;
  readonly stormP99: number;
  readonly stormMax: number;
  readonly lost: number;
  /** Processor time beyond what the neighbour costs, by socket. */
  readonly cpuUsPerDisconnect: number;
  /** Likewise of Redis, where there is one. */
  readonly redisCpuUsPerDisconnect: number | undefined;
  /** From the drop until the server has closed every socket. */
  readonly goneMs: number;
  /** From the drop until its HTTP API knows none of the channels. */
  readonly emptyMs: number | undefined;
  /** How much longer it held channels than sockets. */
  readonly cleanMs: number | undefined;
  /** What its registries hold too much after that. */
  readonly left: number | undefined;
  /** One reading of `/metrics` with all sockets open. */
  readonly scrapeMs: number | undefined;
  readonly vacated: number | undefined;
  readonly repeats: number | undefined;
  readonly openMs: number;
  /** Of its processor, while it opened the sockets. */
  readonly crowdCpuShare: number;
  /** The longest the neighbour's own process came late in the storm. */
  readonly neighbourLateMs: number;
}

export interface StormShape {
  readonly socketCount: number;
  readonly channelCount: number;
  readonly channelsPerSocket: number;
  /** How long the neighbour is measured, each time: before the sockets, with them, and from their end on. */
  readonly windowMs: number;
}

const perSecond = 200;
const prefix = 'storm-';
/** Connections to the receiver of webhooks and the like: not the crowd's. */
const otherDescriptors = 60;

/** Opens the sockets beside a neighbour, ends all of them at once, and says what the neighbour and the receiver noticed. */
export async function storm(
  way: Way,
  name: ServerName,
  shape: StormShape,
  redis?: BenchRedis,
): Promise<Stormed> {
  const crowd = new LoadProcess('crowd');
  const neighbour = new LoadProcess('neighbour');
  const receiver = new LoadProcess('receiver');
  const proxy = way === 'silent' ? new LoadProcess('proxy') : undefined;
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
    server = await startServer(name, {
      webhookPort,
      ...(way === 'silent' ? { silenceMs: 1_000 } : {}),
      config: { webhooks: { graceMs: 200 }, ...redis?.config },
    });
    const front =
      (await proxy?.ask<{ port: number }>('listen', { target: server.port }))?.port ?? server.port;
    return await measure({ way, shape, server, front, crowd, neighbour, receiver, proxy, redis });
  } finally {
    const loads = [crowd, neighbour, receiver, ...(proxy === undefined ? [] : [proxy])];
    await Promise.all(loads.map((load) => load.kill()));
    await server?.stop();
  }
}

interface Scene {
  readonly way: Way;
  readonly shape: StormShape;
  readonly server: BenchServer;
  readonly front: number;
  readonly crowd: LoadProcess;
  readonly neighbour: LoadProcess;
  readonly receiver: LoadProcess;
  readonly proxy: LoadProcess | undefined;
  readonly redis: BenchRedis | undefined;
}

async function measure(scene: Scene): Promise<Stormed> {
  const { way, shape, server, front, crowd, neighbour, receiver, proxy, redis } = scene;
  const { socketCount, channelCount, channelsPerSocket } = shape;
  const { protocol } = server;
  const traffic = { perSecond, durationMs: shape.windowMs };
  await warmUp(server, way === 'reset' ? 'reset' : 'end', {
    count: socketCount,
    channelCount,
    channelsPerSocket: protocol === 'echo' ? 0 : channelsPerSocket,
  });
  await neighbour.ask('connect', { ...app, port: server.port, protocol });
  await neighbour.ask('measure', traffic);
  const descriptors = descriptorsOf(server.pid);
  const [aloneCpuMs, aloneRedisMs] = [server.cpuMs(), redis?.cpuMs() ?? 0];
  await neighbour.ask('measure', traffic);
  const neighbourCostMs = server.cpuMs() - aloneCpuMs;
  const neighbourRedisMs = (redis?.cpuMs() ?? 0) - aloneRedisMs;

  const openCpuMs = crowd.cpuMs();
  const { tookMs: openMs } = await crowd.ask<{ tookMs: number }>('open', {
    ...app,
    port: front,
    protocol,
    count: socketCount,
    inFlight: 200,
    channelCount,
    channelsPerSocket: protocol === 'echo' ? 0 : channelsPerSocket,
    prefix,
  });
  const crowdCpuShare = (crowd.cpuMs() - openCpuMs) / openMs;
  const calm = await neighbour.ask<Measured>('measure', traffic);
  const scrapeMs = server.adminPort === undefined ? undefined : await timeOf(readMetrics(server.adminPort));

  const { closed } = await crowd.ask<{ closed: number }>('figures');
  if (closed > 0) throw new Error(`${closed} sockets were closed before the storm`);
  const [stormCpuMs, stormRedisMs] = [server.cpuMs(), redis?.cpuMs() ?? 0];
  const droppedMs = performance.now();
  const measured = neighbour.ask<Measured>('measure', traffic);
  await (proxy === undefined ? crowd.ask('drop', { way }) : proxy.ask('silence'));
  const [goneAtMs, emptyAtMs, stormed] = await Promise.all([
    until(() => descriptorsOf(server.pid) <= descriptors + otherDescriptors, 5),
    server.protocol === 'echo' ? undefined : until(async () => (await server.channels(prefix)) === 0, 50),
    measured,
  ]);
  const told =
    protocol === 'echo'
      ? undefined
      : await receiver.ask<{ channels: number; repeats: number }>('until', {
          name: 'channel_vacated',
          prefix,
          count: channelCount,
          timeoutMs: 5_000,
        });
  const usEach = (ms: number): number => (ms * 1000) / socketCount;
  return {
    calmP99: calm.p99,
    stormP50: stormed.p50,
    stormP99: stormed.p99,
    stormMax: stormed.max,
    lost: stormed.lost + calm.lost,
    cpuUsPerDisconnect: usEach(server.cpuMs() - stormCpuMs - neighbourCostMs),
    redisCpuUsPerDisconnect: redis && usEach(redis.cpuMs() - stormRedisMs - neighbourRedisMs),
    goneMs: goneAtMs - droppedMs,
    emptyMs: emptyAtMs === undefined ? undefined : emptyAtMs - droppedMs,
    cleanMs: emptyAtMs === undefined ? undefined : Math.max(0, emptyAtMs - goneAtMs),
    left: server.adminPort === undefined ? undefined : await leftIn(server.adminPort),
    scrapeMs,
    vacated: told?.channels,
    repeats: told?.repeats,
    openMs,
    crowdCpuShare,
    neighbourLateMs: stormed.lateMs,
  };
}

/** Looks again and again, for at most 60 s; answers the moment it was so. */
async function until(isSo: () => boolean | Promise<boolean>, everyMs: number): Promise<number> {
  for (const endMs = performance.now() + 60_000; performance.now() < endMs; ) {
    if (await isSo()) return performance.now();
    await new Promise((done) => setTimeout(done, everyMs));
  }
  throw new Error('after 60 s the server still holds what it should have let go');
}

async function timeOf(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

/** What the registries hold beyond the neighbour's two connections in one channel. */
async function leftIn(adminPort: number): Promise<number> {
  const now = await readMetrics(adminPort);
  const held = now.value('spillway_connections') + now.value('spillway_subscriptions');
  return held + now.value('spillway_channels') - 5;
}
