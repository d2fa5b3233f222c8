import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { pollMetrics, occupied, type Readings, readMetrics } from '../support/gauges.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';
import { otherApp, testApp } from '../support/server.ts';
import { type Case, caseOf } from './cases.ts';
import { FuzzCaller, FuzzConnection, type Numbered } from './connections.ts';
import type { FrameCase } from './frames.ts';
import { Neighbour } from './neighbour.ts';
import type { RequestCase } from './requests.ts';
import { Tally } from './tally.ts';

export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
}

export interface FuzzResult {
  readonly tally: Tally;
  readonly seconds: number;
  /** What is left in the server's registries after every socket has closed. */
  readonly left: Readonly<Record<string, number>>;
  readonly exitCode: number | null;
  readonly stderr: string;
  /** Log lines of failures: there must be none. */
  readonly failures: readonly Readonly<Record<string, unknown>>[];
  /** Resident memory of the server after a tenth of the cases and after all, in MiB. */
  readonly memory: { readonly early: number; readonly late: number };
  /** File descriptors of the server before the first case and after all sockets have closed. */
  readonly descriptors: { readonly before: number; readonly after: number };
}

const casesPerRound = 100;
const connections = 24;
const callers = 6;
const roundTimeoutMs = 20_000;

/** The fuzzed app: small limits, so that cases reach them. */
const fuzzedApp = {
  ...testApp,
  clientEvents: { enabled: true, perSecond: 15 },
  presence: { maxMembers: 4 },
  subscriptionCount: true,
  watchlist: true,
};
const neighbourApp = { ...otherApp, clientEvents: { enabled: true, perSecond: 0 } };

/** Sends the cases of a seed to a server process, a neighbour's echo between each hundred, and tells what happened. */
export async function runFuzz({ cases, seed }: FuzzOptions): Promise<FuzzResult> {
  const server = await startServerProcess(
    {
      apps: [fuzzedApp, neighbourApp],
      server: { maxSubscriptionsPerConnection: 10 },
      cache: { ttlSeconds: 5 },
    },
    { NODE_OPTIONS: '--unhandled-rejections=strict' },
  );
  const errors: string[] = [];
  server.child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const ended = new Promise<never>((_, reject) => {
    server.child.once('exit', (code, signal) => {
      reject(new Error(`the server ended with ${code ?? signal}: ${errors.join('')}`));
    });
  });
  const run = drive(server, { cases, seed });
  const driven = await Promise.race([run, ended]).catch((error: unknown) => {
    server.child.kill('SIGKILL');
    throw error;
  });
  const { tally, seconds, memory, descriptors, readings } = driven;
  const exitCode = await server.stop();
  const failures = server.lines.filter(({ msg }) => /\.failed$|^process\.|^stage\./.test(String(msg)));
  return {
    tally,
    seconds,
    left: occupied(readings),
    exitCode,
    stderr: errors.join(''),
    failures,
    memory,
    descriptors,
  };
}

type Driven = Pick<FuzzResult, 'tally' | 'seconds' | 'memory' | 'descriptors'> & {
  readonly readings: Readings;
};

async function drive(server: ServerProcess, { cases, seed }: FuzzOptions): Promise<Driven> {
  const tally = new Tally();
  await readMetrics(server.adminPort);
  const before = descriptorsOf(server.pid);
  const sockets = Array.from({ length: connections }, () => new FuzzConnection(server, tally));
  const lines = Array.from({ length: callers }, () => new FuzzCaller(server, tally));
  const neighbour = await Neighbour.open({
    port: server.port,
    appId: otherApp.id,
    key: otherApp.key,
    secret: otherApp.secret,
  });
  const startedMs = performance.now();
  let early = 0;
  for (let from = 0; from < cases; from += casesPerRound) {
    const round = roundOf(seed, from, Math.min(cases, from + casesPerRound));
    for (const { case: sent } of round) tally.sent(sent);
    await inTime(`the cases from ${from}`, sendRound(round, sockets, lines));
    const problem = await inTime(`the echo after case ${from}`, neighbour.echo());
    if (problem !== undefined) tally.problem(problem);
    tally.echoes++;
    if (early === 0 && from >= cases / 10) early = await memoryOf(server);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const late = await memoryOf(server);
  await neighbour.close();
  for (const each of [...sockets, ...lines]) each.close();
  const readings = await pollMetrics(server.adminPort, (now) => Object.keys(occupied(now)).length === 0);
  addErrors(tally, readings);
  const descriptors = { before, after: descriptorsOf(server.pid) };
  return { tally, seconds, memory: { early, late }, descriptors, readings };
}

function roundOf(seed: number, from: number, to: number): readonly Numbered<Case>[] {
  return Array.from({ length: to - from }, (_, offset) => ({
    index: from + offset,
    case: caseOf(seed, from + offset),
  }));
}

/** Frames and requests side by side, each in the order of their numbers on the connection their number chooses. */
async function sendRound(
  round: readonly Numbered<Case>[],
  sockets: readonly FuzzConnection[],
  lines: readonly FuzzCaller[],
): Promise<void> {
  const isFrame = (numbered: Numbered<Case>): numbered is Numbered<FrameCase> =>
    numbered.case.kind === 'frame';
  const isRequest = (numbered: Numbered<Case>): numbered is Numbered<RequestCase> =>
    numbered.case.kind === 'request';
  await Promise.all([
    ...sockets.map((socket, at) =>
      socket.send(round.filter(isFrame).filter(({ index }) => index % sockets.length === at)),
    ),
    ...lines.map((line, at) =>
      line.send(round.filter(isRequest).filter(({ index }) => index % lines.length === at)),
    ),
  ]);
}

/** An answer that never comes is a finding with a number, not a spec that hangs. */
async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer to ${what} within ${roundTimeoutMs} ms`)),
      roundTimeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function memoryOf({ adminPort }: ServerProcess): Promise<number> {
  return (await readMetrics(adminPort)).value('spillway_process_resident_memory_bytes') / 1024 / 1024;
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** By code, as the server counted them: frames, subscriptions and requests that were refused. */
function addErrors(tally: Tally, readings: Readings): void {
  for (const metric of [
    'spillway_messages_refused_total',
    'spillway_subscriptions_refused_total',
    'spillway_http_refused_total',
  ]) {
    for (const [code, count] of readings.byLabel(metric, 'code')) tally.errors.add(code, count);
  }
}

/** A text that two runs of the same seed have in common: what each case would send, given the same connection. */
export function digestOf({ cases, seed }: FuzzOptions): string {
  const sender = { socketId: '1.1', key: 'key', secret: 'secret' };
  const publisher = { appId: 'app', key: 'key', secret: 'secret', nowSeconds: 1_600_000_000 };
  const digest = createHash('sha256');
  for (let index = 0; index < cases; index++) {
    const made = caseOf(seed, index);
    digest.update(made.kind === 'frame' ? made.bytes(sender) : made.bytes(publisher));
  }
  return digest.digest('hex');
}
