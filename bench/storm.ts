import { readMetrics } from '../spec/support/gauges.ts';
import { descriptorsOf } from './support/cpu.ts';
import { LoadProcess } from './support/load-process.ts';
import { readOptions } from './support/options.ts';
import { medianText, say, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import { app, type BenchServer, type ServerName, startServer } from './support/servers.ts';
import { ratioOf, spreadOf } from './support/statistics.ts';

type Way = 'end' | 'reset' | 'silent';
type Variant = `${Way} ${ServerName}`;

interface Measured {
  readonly sent: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly lateMs: number;
}

interface Stormed {
  readonly calmP99: number;
  readonly stormP50: number;
  readonly stormP99: number;
  readonly stormMax: number;
  readonly lost: number;
  /** Processor time beyond what the neighbour costs, by socket. */
  readonly cpuUsPerDisconnect: number;
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

const options = readOptions(['spillway', 'echo', 'soketi']);
const ways: readonly Way[] = ['end', 'reset', 'silent'];
const socketCount = options.quick ? 2_000 : 9_500;
const channelCount = 500;
const channelsPerSocket = 5;
const perSecond = 200;
const prefix = 'storm-';
/** Connections to the receiver of webhooks and the like: not the crowd's. */
const otherDescriptors = 60;
/** Silent peers are noticed in up to 2.25 s, so their storm is longer. */
const windowMs = (way: Way): number => (way === 'silent' ? 4_000 : 2_000);

async function run(): Promise<void> {
  sayHeader(
    `${socketCount} sockets, ${channelsPerSocket} of ${channelCount} channels each, gone at once: what does a neighbour notice?`,
  );
  const variants = ways.flatMap((way) =>
    options.servers
      .filter((server) => way !== 'silent' || server !== 'soketi')
      .map((server): Variant => `${way} ${server}`),
  );
  const results = await inRounds(options.rounds, variants, (variant) => {
    const [way, server] = variant.split(' ') as [Way, ServerName];
    return storm(way, server);
  });
  report(results);
}

async function storm(way: Way, name: ServerName): Promise<Stormed> {
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
      config: { webhooks: { graceMs: 200 } },
    });
    const front =
      (await proxy?.ask<{ port: number }>('listen', { target: server.port }))?.port ?? server.port;
    return await measure({ way, server, front, crowd, neighbour, receiver, proxy });
  } finally {
    const loads = [crowd, neighbour, receiver, ...(proxy === undefined ? [] : [proxy])];
    await Promise.all(loads.map((load) => load.kill()));
    await server?.stop();
  }
}

interface Scene {
  readonly way: Way;
  readonly server: BenchServer;
  readonly front: number;
  readonly crowd: LoadProcess;
  readonly neighbour: LoadProcess;
  readonly receiver: LoadProcess;
  readonly proxy: LoadProcess | undefined;
}

async function measure({ way, server, front, crowd, neighbour, receiver, proxy }: Scene): Promise<Stormed> {
  const { protocol } = server;
  const traffic = { perSecond, durationMs: windowMs(way) };
  await neighbour.ask('connect', { ...app, port: server.port, protocol });
  await neighbour.ask('measure', traffic);
  const descriptors = descriptorsOf(server.pid);
  const aloneCpuMs = server.cpuMs();
  await neighbour.ask('measure', traffic);
  const neighbourCostMs = server.cpuMs() - aloneCpuMs;

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
  const stormCpuMs = server.cpuMs();
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
  return {
    calmP99: calm.p99,
    stormP50: stormed.p50,
    stormP99: stormed.p99,
    stormMax: stormed.max,
    lost: stormed.lost + calm.lost,
    cpuUsPerDisconnect: ((server.cpuMs() - stormCpuMs - neighbourCostMs) * 1000) / socketCount,
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

function report(results: ReadonlyMap<Variant, readonly (Stormed | undefined)[]>): void {
  const of = (way: Way, server: ServerName) => results.get(`${way} ${server}`) ?? [];
  const ratios = (
    way: Way,
    read: (one: Stormed) => number,
    other: ServerName,
  ): readonly (number | undefined)[] =>
    of(way, 'spillway').map((one, round) => {
      const peer = of(way, other)[round];
      return one === undefined || peer === undefined ? undefined : ratioOf(read(one), read(peer));
    });
  const rows = [...results].map(([variant, all]) => {
    const column = (read: (one: Stormed) => number | undefined): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.cpuUsPerDisconnect),
      column((one) => one.calmP99),
      column((one) => one.stormP99),
      column((one) => one.stormMax),
      column((one) => one.goneMs),
      column((one) => one.emptyMs),
      column((one) => one.cleanMs),
      column((one) => one.left),
      column((one) => one.vacated),
      column((one) => one.repeats),
      column((one) => one.lost),
      column((one) => one.scrapeMs),
      column((one) => one.crowdCpuShare),
      column((one) => one.neighbourLateMs),
    ];
  });
  sayTable(
    [
      'way, server',
      'CPU us/disconnect',
      'calm p99 ms',
      'storm p99 ms',
      'storm max ms',
      'sockets closed ms',
      'channels empty ms',
      'channels after sockets ms',
      'left over',
      'vacated',
      'told again',
      'lost',
      '/metrics ms',
      'crowd CPU share',
      'neighbour itself late ms',
    ],
    rows,
  );
  say('The timer of soketi for silent peers is 120 s and fixed: there is no row for it.');
  sayTargets(
    ways.flatMap((way) => [
      {
        name: `${way}: storm p99, x bare ws`,
        spread: spreadOf(ratios(way, (one) => one.stormP99, 'echo')),
        most: 1.5,
      },
      ...(way === 'silent'
        ? []
        : [
            {
              name: `${way}: storm p99, x soketi`,
              spread: spreadOf(ratios(way, (one) => one.stormP99, 'soketi')),
              most: 0.35,
            },
          ]),
      {
        name: `${way}: storm p99 ms (stretch)`,
        spread: spreadOf(of(way, 'spillway').map((one) => one?.stormP99)),
        most: 100,
      },
      {
        name: `${way}: channels empty after the last socket, ms`,
        spread: spreadOf(of(way, 'spillway').map((one) => one?.cleanMs)),
        most: 2_000,
      },
    ]),
  );
  say(
    `CPU per disconnect, x bare ws: ${ways.map((way) => `${way} ${medianText(ratios(way, (one) => one.cpuUsPerDisconnect, 'echo'))}`).join(', ')}`,
  );
  say(
    `CPU per disconnect, x soketi: ${ways
      .slice(0, 2)
      .map((way) => `${way} ${medianText(ratios(way, (one) => one.cpuUsPerDisconnect, 'soketi'))}`)
      .join(', ')}`,
  );
}

void run();
