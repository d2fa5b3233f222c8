import type { Figures, Scenario, ServerName } from '../scenario.ts';
import { type BenchRedis, besideRedis } from '../support/beside-redis.ts';
import { descriptorsOf } from '../support/cpu.ts';
import { untilIdle } from '../support/idle.ts';
import { LoadProcess } from '../support/load-process.ts';
import { app, type BenchServer, startServer } from '../support/servers.ts';
import { storm } from '../support/storm.ts';
import { warmUp } from '../support/warm-up.ts';

type Way = 'end' | 'reset';

const oneChannel = 'one channel';
const manyChannels = '5 of 500 channels';
const manyOnRedis = '5 of 500 channels on Redis';
/** Where what is asked of Redis is what a cleanup costs: only these keep state there. */
const onRedis: readonly ServerName[] = ['spillway', 'naive'];
/** Files a server opens meanwhile for itself. */
const otherDescriptors = 20;

/** Sockets that are gone at once. `npm run bench:storm` adds silent peers, and what is told of the channels. */
export const scenario: Scenario = {
  name: 'drop',
  question: 'sockets are gone at once: what does it cost, and what does a neighbour notice?',
  servers: ['spillway', 'naive', 'ws', 'echo', 'soketi'],
  cases: ({ quick }) =>
    [oneChannel, manyChannels, manyOnRedis].flatMap((channels) =>
      (quick ? ['reset'] : ['end', 'reset']).map((way) => `${channels}, ${way}`),
    ),
  run: async (server, name, { quick }) => {
    const [channels, way] = name.split(', ') as [string, Way];
    if (channels === manyOnRedis)
      return onRedis.includes(server)
        ? await besideRedis((redis) => dropOfMany(server, way, quick, redis))
        : undefined;
    if (channels === manyChannels) return server === 'ws' ? undefined : await dropOfMany(server, way, quick);
    return server === 'echo' ? undefined : await dropOfOne(server, way, quick);
  },
  columns: [
    { figure: 'cpuUsPerDisconnect', title: 'CPU us/disconnect', over: ['ws', 'echo', 'soketi', 'naive'] },
    { figure: 'redisCpuUsPerDisconnect', title: 'Redis CPU us/disconnect', over: ['naive'] },
    { figure: 'idleMs', title: 'idle again ms', over: ['soketi'] },
    { figure: 'goneMs', title: 'sockets closed ms' },
    { figure: 'emptyMs', title: 'channels empty ms' },
    { figure: 'calmP99Ms', title: 'neighbour p99 ms before' },
    { figure: 'stormP99Ms', title: 'in the drop', over: ['echo', 'soketi'] },
    { figure: 'neighbourLateMs', title: 'neighbour itself late ms' },
    { figure: 'lost', title: 'events lost' },
    { figure: 'vacated', title: 'vacated' },
    { figure: 'repeats', title: 'told again' },
  ],
  targets: [
    ...(['end', 'reset'] as const).flatMap((way) => [
      {
        name: 'idle again, ms',
        cases: [`${oneChannel}, ${way}`],
        figure: 'idleMs',
        of: 'spillway' as const,
        most: 1_000,
        stretch: 600,
      },
      {
        name: 'CPU x soketi',
        cases: [`${oneChannel}, ${way}`],
        figure: 'cpuUsPerDisconnect',
        of: 'spillway' as const,
        over: 'soketi' as const,
        most: 0.2,
      },
      {
        name: 'CPU x soketi',
        cases: [`${manyChannels}, ${way}`],
        figure: 'cpuUsPerDisconnect',
        of: 'spillway' as const,
        over: 'soketi' as const,
        most: 0.5,
        stretch: 0.35,
      },
      {
        name: "neighbour's p99, x bare ws",
        cases: [`${manyChannels}, ${way}`],
        figure: 'stormP99Ms',
        of: 'spillway' as const,
        over: 'echo' as const,
        most: 1.5,
      },
      {
        name: 'cleanup: CPU without the fast paths, x Spillway',
        cases: [`${oneChannel}, ${way}`, `${manyChannels}, ${way}`, `${manyOnRedis}, ${way}`],
        figure: 'cpuUsPerDisconnect',
        of: 'naive' as const,
        over: 'spillway' as const,
        least: 2,
      },
    ]),
  ],
};

/** All sockets share one channel, and nobody is told: what the server itself has to do. */
async function dropOfOne(name: ServerName, way: Way, quick: boolean): Promise<Figures> {
  const count = quick ? 2_000 : 10_000;
  const crowd = new LoadProcess('crowd');
  let server: BenchServer | undefined;
  try {
    server = await startServer(name);
    const running = server;
    await warmUp(running, way, { count, channel: 'everyone' });
    const descriptors = descriptorsOf(running.pid);
    const target = { ...app, port: running.port, protocol: running.protocol };
    await crowd.ask('open', { ...target, count, inFlight: 200, channel: 'everyone' });
    await untilIdle(() => running.cpuMs());
    const [cpuMs, droppedMs] = [running.cpuMs(), performance.now()];
    await crowd.ask('drop', { way });
    const idle = await untilIdle(() => running.cpuMs(), {
      isOver: () => descriptorsOf(running.pid) <= descriptors + otherDescriptors,
    });
    return {
      cpuUsPerDisconnect: ((idle.cpuMs - cpuMs) * 1000) / count,
      idleMs: idle.atMs - droppedMs,
    };
  } finally {
    await crowd.kill();
    await server?.stop();
  }
}

async function dropOfMany(name: ServerName, way: Way, quick: boolean, redis?: BenchRedis): Promise<Figures> {
  const socketCount = quick ? 2_000 : 9_500;
  const shape = { socketCount, channelCount: 500, channelsPerSocket: 5, windowMs: quick ? 500 : 2_000 };
  const stormed = await storm(way, name, shape, redis);
  return {
    cpuUsPerDisconnect: stormed.cpuUsPerDisconnect,
    redisCpuUsPerDisconnect: stormed.redisCpuUsPerDisconnect,
    goneMs: stormed.goneMs,
    emptyMs: stormed.emptyMs,
    calmP99Ms: stormed.calmP99,
    stormP99Ms: stormed.stormP99,
    neighbourLateMs: stormed.neighbourLateMs,
    lost: stormed.lost,
    vacated: stormed.vacated,
    repeats: stormed.repeats,
  };
}
