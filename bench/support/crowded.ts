import { readMetrics } from '../../spec/support/gauges.ts';
import { rssMibOf } from './cpu.ts';
import { LoadProcess } from './load-process.ts';
import { app, type BenchServer, type ServerName, startServer } from './servers.ts';

interface Told {
  readonly least: number;
  readonly most: number;
  readonly repeats: number;
}

export interface Crowded {
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

export const observerCount = 20;
const channel = 'presence-crowd';
const patienceMs = 120_000;

/** Fills one presence channel beside observers who stay, empties it at once, and says what either phase cost. */
export async function crowded(name: ServerName, size: number, webhookPatienceMs = 15_000): Promise<Crowded> {
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
    return await measure(server, size, { crowd, observers, receiver, webhookPatienceMs });
  } finally {
    await Promise.all([crowd, observers, receiver].map((load) => load.kill()));
    await server?.stop();
  }
}

interface Loads {
  readonly crowd: LoadProcess;
  readonly observers: LoadProcess;
  readonly receiver: LoadProcess;
  /** A peer that loses webhooks is not waited for longer: it uses no processor time meanwhile. */
  readonly webhookPatienceMs: number;
}

async function measure(server: BenchServer, size: number, loads: Loads): Promise<Crowded> {
  const { crowd, observers } = loads;
  const target = { ...app, port: server.port, channel };
  await observers.ask('connect', { ...target, count: observerCount });
  const beforeJoins = await counted(server);

  const join = startPhase(server);
  const crowdCpuMs = crowd.cpuMs();
  await crowd.ask('open', { ...target, protocol: 'pusher', count: size, inFlight: 200 });
  const added = await observers.ask<Told>('until', { kind: 'added', count: size, timeoutMs: patienceMs });
  await told(loads, 'member_added', size);
  const joined = join();
  const crowdCpuShare = (crowd.cpuMs() - crowdCpuMs) / joined.tookMs;
  const rssMib = rssMibOf(server.pid);
  const afterJoins = await counted(server);

  const leave = startPhase(server);
  await crowd.ask('drop', { way: 'reset' });
  const removed = await observers.ask<Told>('until', { kind: 'removed', count: size, timeoutMs: patienceMs });
  const removedWebhooks = await told(loads, 'member_removed', size);
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

async function told({ receiver, webhookPatienceMs }: Loads, name: string, count: number): Promise<number> {
  const asked = { name, prefix: `${channel} member-`, count, timeoutMs: webhookPatienceMs };
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
