import { readMetrics } from '../spec/support/gauges.ts';
import { LoadProcess } from './support/load-process.ts';
import { readOptions } from './support/options.ts';
import { medianText, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import { rssMibOf } from './support/cpu.ts';
import { app, type BenchServer, type ServerName, startServer } from './support/servers.ts';
import { ratioOf, spreadOf } from './support/statistics.ts';

type Variant = `${ServerName} ${number}`;

interface Told {
  readonly least: number;
  readonly most: number;
  readonly repeats: number;
}

interface Crowded {
  readonly joinCpuMs: number;
  readonly joinMs: number;
  readonly leaveCpuMs: number;
  readonly leaveMs: number;
  /** Users that the worst informed observer was told of, and how often any of them was told again. */
  readonly added: number;
  readonly removed: number;
  readonly repeats: number;
  readonly removedWebhooks: number;
  readonly joins: Counted | undefined;
  readonly leaves: Counted | undefined;
  readonly rssMib: number;
  readonly crowdCpuShare: number;
}

/** What Spillway counted in a phase; undefined for what it does not count. */
type Counted = Readonly<Record<keyof typeof counters, number | undefined>>;

const counters = {
  frames: 'spillway_fanout_encoded_total',
  writes: 'spillway_fanout_writes_total',
  passes: 'spillway_announce_passes_total',
  snapshots: 'spillway_welcome_snapshots_total',
};

const options = readOptions(['spillway', 'soketi']);
const observerCount = 20;
const channel = 'presence-crowd';
const sizes = options.quick ? [250, 500] : [1_000, 2_000, 5_000, 10_000];
const soketiSize = options.quick ? 500 : 2_000;
const [smallest = 0] = sizes;
const largest = sizes.at(-1) ?? 0;
const patienceMs = 120_000;

async function run(): Promise<void> {
  sayHeader(`one presence channel: all members leave at once, ${observerCount} observers stay`);
  const variants = [
    ...sizes.map((size): Variant => `spillway ${size}`),
    ...(options.servers.includes('soketi') ? [`soketi ${soketiSize}` as const] : []),
  ];
  report(
    await inRounds(options.rounds, variants, (variant) => {
      const [server, size] = variant.split(' ') as [ServerName, string];
      return crowded(server, Number(size));
    }),
  );
}

async function crowded(name: ServerName, size: number): Promise<Crowded> {
  const crowd = new LoadProcess('crowd');
  const observers = new LoadProcess('observers');
  const receiver = new LoadProcess('receiver');
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
    server = await startServer(name, {
      webhookPort,
      webhookEvents: ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'],
      // The crowd shares one processor: what it has not read yet must not end it.
      config: { webhooks: { graceMs: 200 }, delivery: { maxBufferedBytes: 1_073_741_824 } },
    });
    return await measure(server, size, { crowd, observers, receiver });
  } finally {
    await Promise.all([crowd, observers, receiver].map((load) => load.kill()));
    await server?.stop();
  }
}

interface Loads {
  readonly crowd: LoadProcess;
  readonly observers: LoadProcess;
  readonly receiver: LoadProcess;
}

async function measure(server: BenchServer, size: number, loads: Loads): Promise<Crowded> {
  const { crowd, observers, receiver } = loads;
  const target = { ...app, port: server.port, channel };
  await observers.ask('connect', { ...target, count: observerCount });
  const beforeJoins = await counted(server);

  const join = startPhase(server);
  const crowdCpuMs = crowd.cpuMs();
  await crowd.ask('open', { ...target, protocol: 'pusher', count: size, inFlight: 200 });
  const added = await observers.ask<Told>('until', { kind: 'added', count: size, timeoutMs: patienceMs });
  await told(receiver, 'member_added', size);
  const joined = join();
  const crowdCpuShare = (crowd.cpuMs() - crowdCpuMs) / joined.tookMs;
  const rssMib = rssMibOf(server.pid);
  const afterJoins = await counted(server);

  const leave = startPhase(server);
  await crowd.ask('drop', { way: 'reset' });
  const removed = await observers.ask<Told>('until', { kind: 'removed', count: size, timeoutMs: patienceMs });
  const removedWebhooks = await told(receiver, 'member_removed', size);
  const left = leave();
  const afterLeaves = await counted(server);
  const last = await observers.ask<Told>('summary', { kind: 'removed' });
  return {
    joinCpuMs: joined.cpuMs,
    joinMs: joined.tookMs,
    leaveCpuMs: left.cpuMs,
    leaveMs: left.tookMs,
    added: added.least,
    removed: removed.least,
    repeats: added.repeats + last.repeats,
    removedWebhooks,
    joins: difference(beforeJoins, afterJoins),
    leaves: difference(afterJoins, afterLeaves),
    rssMib,
    crowdCpuShare,
  };
}

/** Starts the clock and the processor time; what it answers reads them. */
function startPhase(server: BenchServer): () => { readonly cpuMs: number; readonly tookMs: number } {
  const startedMs = performance.now();
  const startedCpuMs = server.cpuMs();
  return () => ({ cpuMs: server.cpuMs() - startedCpuMs, tookMs: performance.now() - startedMs });
}

async function told(receiver: LoadProcess, name: string, count: number): Promise<number> {
  // A peer that loses webhooks is not waited for long: it uses no processor time meanwhile.
  const asked = { name, prefix: `${channel} member-`, count, timeoutMs: 15_000 };
  return (await receiver.ask<{ channels: number }>('until', asked)).channels;
}

async function counted({ adminPort }: BenchServer): Promise<Counted | undefined> {
  if (adminPort === undefined) return undefined;
  const now = await readMetrics(adminPort);
  return eachCounter((name) => (now.text.includes(`# TYPE ${name} `) ? now.value(name) : undefined));
}

function difference(before: Counted | undefined, after: Counted | undefined): Counted | undefined {
  if (before === undefined || after === undefined) return undefined;
  return {
    frames: less(after.frames, before.frames),
    writes: less(after.writes, before.writes),
    passes: less(after.passes, before.passes),
    snapshots: less(after.snapshots, before.snapshots),
  };
}

function less(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one - other;
}

function eachCounter(read: (name: string) => number | undefined): Counted {
  return {
    frames: read(counters.frames),
    writes: read(counters.writes),
    passes: read(counters.passes),
    snapshots: read(counters.snapshots),
  };
}

function report(results: ReadonlyMap<Variant, readonly (Crowded | undefined)[]>): void {
  const rows = [...results].map(([variant, all]) => {
    const column = (read: (one: Crowded) => number | undefined): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.leaveCpuMs),
      column((one) => one.leaveMs),
      column((one) => one.leaves?.frames),
      column((one) => one.leaves?.writes),
      column((one) => one.leaves?.passes),
      column((one) => one.removed),
      column((one) => one.repeats),
      column((one) => one.removedWebhooks),
      column((one) => one.joinCpuMs),
      column((one) => one.joinMs),
      column((one) => one.joins?.writes),
      column((one) => one.joins?.passes),
      column((one) => one.joins?.snapshots),
      column((one) => one.rssMib),
      column((one) => one.crowdCpuShare),
    ];
  });
  sayTable(
    [
      'server, members',
      'leave CPU ms',
      'leave ms',
      'frames encoded',
      'writes',
      'passes',
      'removals told',
      'told again',
      'removal webhooks',
      'join CPU ms',
      'join ms',
      'join writes',
      'join passes',
      'snapshots',
      'RSS MiB',
      'crowd CPU share',
    ],
    rows,
  );
  const ratios = (
    read: (one: Crowded) => number,
    one: Variant,
    other: Variant,
  ): readonly (number | undefined)[] =>
    (results.get(one) ?? []).map((mine, round) => {
      const peer = results.get(other)?.[round];
      return mine === undefined || peer === undefined ? undefined : ratioOf(read(mine), read(peer));
    });
  const spread = (read: (one: Crowded) => number, one: Variant, other: Variant) =>
    spreadOf(ratios(read, one, other));
  const times = largest / smallest;
  sayTargets([
    {
      name: `leaving: CPU(${largest}) / CPU(${smallest}), ${times} x the members`,
      spread: spread((one) => one.leaveCpuMs, `spillway ${largest}`, `spillway ${smallest}`),
      most: 1.5 * times,
    },
    {
      name: `leaving: CPU x soketi's at ${soketiSize}`,
      spread: spread((one) => one.leaveCpuMs, `spillway ${soketiSize}`, `soketi ${soketiSize}`),
      most: 0.1,
    },
  ]);
  const join = ratios((one) => one.joinCpuMs, `spillway ${largest}`, `spillway ${smallest}`);
  const joinPeer = ratios((one) => one.joinCpuMs, `spillway ${soketiSize}`, `soketi ${soketiSize}`);
  sayTable(
    ['joining', 'CPU'],
    [
      [`CPU(${largest}) / CPU(${smallest})`, medianText(join)],
      [`CPU x soketi's at ${soketiSize}`, medianText(joinPeer)],
    ],
  );
}

void run();
