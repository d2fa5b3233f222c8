import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { LoadProcess } from './support/load-process.ts';
import { readOptions } from './support/options.ts';
import { medianText, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import { app, type BenchServer, type ServerName, startServer } from './support/servers.ts';
import { quantileOf, ratioOf, spreadOf } from './support/statistics.ts';

/** What is wrong with the receiver of the other app. */
type Fault = 'none' | 'refuses' | 'hangs' | 'fails';
type Variant = `${ServerName} ${Fault}`;

interface Isolated {
  readonly webhookP50: number | undefined;
  readonly webhookP99: number | undefined;
  readonly webhooksMissing: number;
  readonly socketP50: number;
  readonly socketP99: number;
  readonly lost: number;
  readonly cpuMs: number;
  /** Events of the other app that its receiver took, of `events`. */
  readonly othersTaken: number;
}

interface Measured {
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
}

type Times = Readonly<Record<string, number>>;

const options = readOptions(['spillway', 'soketi']);
const faults: readonly Fault[] = ['none', 'refuses', 'hangs', 'fails'];
/** Each visit is two events: 2,000 of the app with the fault, 800 of the app that must not notice. */
const visits = options.quick ? 200 : 1_000;
const visitsPerSecond = 100;
const ownVisits = visits * 0.4;
const ownVisitsPerSecond = visitsPerSecond * 0.4;
const eventsPerSecond = 100;
const batchWindowMs = 20;

const other = { id: 'other', key: 'other-key', secret: 'other-secret' } as const;

async function run(): Promise<void> {
  sayHeader(`the receiver of one app fails while ${2 * visits} events occur: what does another app notice?`);
  const variants = options.servers.flatMap((server) => faults.map((fault): Variant => `${server} ${fault}`));
  report(
    await inRounds(options.rounds, variants, (variant) => {
      const [server, fault] = variant.split(' ') as [ServerName, Fault];
      return isolated(server, fault);
    }),
  );
}

async function isolated(name: ServerName, fault: Fault): Promise<Isolated> {
  const loads = {
    receiver: new LoadProcess('receiver'),
    otherReceiver: new LoadProcess('receiver'),
    tenant: new LoadProcess('tenant'),
    otherTenant: new LoadProcess('tenant'),
    neighbour: new LoadProcess('neighbour'),
  };
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await loads.receiver.ask<{ port: number }>('listen');
    const { port: otherPort } = await loads.otherReceiver.ask<{ port: number }>('listen');
    const url = `http://127.0.0.1:${fault === 'refuses' ? await closedPort() : otherPort}/`;
    const events = ['channel_occupied', 'channel_vacated'];
    server = await startServer(name, {
      webhookPort,
      apps: [{ ...other, webhooks: [name === 'soketi' ? { url, event_types: events } : { url, events }] }],
      // A short window, so that the delay is the server's and not the window's.
      config: { webhooks: { graceMs: 0, batchWindowMs } },
    });
    if (fault === 'hangs') await loads.otherReceiver.ask('behave', { mode: 'hang' });
    if (fault === 'fails') await loads.otherReceiver.ask('behave', { mode: 'error' });
    return await measure(server, loads, fault);
  } finally {
    await Promise.all(Object.values(loads).map((load) => load.kill()));
    await server?.stop();
  }
}

type Loads = Readonly<
  Record<'receiver' | 'otherReceiver' | 'tenant' | 'otherTenant' | 'neighbour', LoadProcess>
>;

async function measure(server: BenchServer, loads: Loads, fault: Fault): Promise<Isolated> {
  const { receiver, otherReceiver, tenant, otherTenant, neighbour } = loads;
  const { port } = server;
  await neighbour.ask('connect', { ...app, port, protocol: 'pusher' });
  await warmUp(port, tenant, otherTenant, neighbour);
  const startedCpuMs = server.cpuMs();
  const [, happened, socket] = await Promise.all([
    otherTenant.ask('visit', { ...other, port, prefix: 'noisy-', visits, perSecond: visitsPerSecond }),
    tenant.ask<Times>('visit', {
      ...app,
      port,
      prefix: 'calm-',
      visits: ownVisits,
      perSecond: ownVisitsPerSecond,
    }),
    neighbour.ask<Measured>('measure', {
      perSecond: eventsPerSecond,
      durationMs: (visits / visitsPerSecond) * 1000,
    }),
  ]);
  await receiver.ask('until', {
    name: 'channel_vacated',
    prefix: 'calm-',
    count: ownVisits,
    timeoutMs: 10_000,
  });
  const cpuMs = server.cpuMs() - startedCpuMs;
  const wanted = fault === 'none' ? visits : 0;
  const ask = { prefix: 'noisy-', count: wanted, timeoutMs: 10_000 };
  const occupied = await otherReceiver.ask<{ channels: number }>('until', {
    ...ask,
    name: 'channel_occupied',
  });
  const vacated = await otherReceiver.ask<{ channels: number }>('until', { ...ask, name: 'channel_vacated' });
  const delays = await delaysOf(receiver, happened);
  return {
    webhookP50: quantileOf(delays, 0.5),
    webhookP99: quantileOf(delays, 0.99),
    webhooksMissing: Object.keys(happened).length - delays.length,
    socketP50: socket.p50,
    socketP99: socket.p99,
    lost: socket.lost,
    cpuMs,
    othersTaken: occupied.channels + vacated.channels,
  };
}

/** The first visits are slow for every server: their code has not been compiled yet. */
async function warmUp(
  port: number,
  tenant: LoadProcess,
  otherTenant: LoadProcess,
  neighbour: LoadProcess,
): Promise<void> {
  const plan = { port, visits: 100, perSecond: 100, prefix: 'warm-up-' };
  await Promise.all([
    tenant.ask('visit', { ...plan, ...app }),
    otherTenant.ask('visit', { ...plan, ...other }),
    neighbour.ask('measure', { perSecond: eventsPerSecond, durationMs: 1_000 }),
  ]);
}

/** From what caused an event to its arrival, in milliseconds, sorted. */
async function delaysOf(receiver: LoadProcess, happened: Times): Promise<readonly number[]> {
  const arrived: Times = {
    ...(await receiver.ask<Times>('times', { name: 'channel_occupied', prefix: 'calm-' })),
    ...(await receiver.ask<Times>('times', { name: 'channel_vacated', prefix: 'calm-' })),
  };
  return Object.entries(happened)
    .flatMap(([key, atMs]) => {
      const arrivedMs = arrived[key];
      return arrivedMs === undefined ? [] : [arrivedMs - atMs];
    })
    .sort((one, other) => one - other);
}

/** Somewhere that nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

function report(results: ReadonlyMap<Variant, readonly (Isolated | undefined)[]>): void {
  const rows = [...results].map(([variant, all]) => {
    const column = (read: (one: Isolated) => number | undefined): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.cpuMs),
      column((one) => one.webhookP50),
      column((one) => one.webhookP99),
      column((one) => one.webhooksMissing),
      column((one) => one.socketP50),
      column((one) => one.socketP99),
      column((one) => one.lost),
      column((one) => one.othersTaken),
    ];
  });
  sayTable(
    [
      'server, fault',
      'CPU ms',
      'webhook p50 ms',
      'webhook p99 ms',
      'webhooks missing',
      'socket p50 ms',
      'socket p99 ms',
      'lost',
      "other app's events taken",
    ],
    rows,
  );
  const ratios = (server: ServerName, fault: Fault, read: (one: Isolated) => number | undefined) =>
    spreadOf(
      (results.get(`${server} ${fault}`) ?? []).map((one, round) => {
        const base = results.get(`${server} none`)?.[round];
        return one === undefined || base === undefined ? undefined : ratioOf(read(one), read(base));
      }),
    );
  for (const server of options.servers) {
    sayTargets(
      faults.slice(1).flatMap((fault) => [
        {
          name: `${server}, the other receiver ${fault}: webhook p99, x without the fault`,
          spread: ratios(server, fault, (one) => one.webhookP99),
          most: 1.25,
        },
        {
          name: `${server}, the other receiver ${fault}: socket p99, x without the fault`,
          spread: ratios(server, fault, (one) => one.socketP99),
          most: 1.25,
        },
      ]),
    );
  }
}

void run();
