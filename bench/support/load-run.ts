import { setTimeout as wait } from 'node:timers/promises';
import { type Counted, NativeLoad } from './native-load.ts';
import { type BenchServer, type ServerName, type ServerOptions, startServer } from './servers.ts';

/** What a server used while the load counted. */
export interface Measured extends Counted {
  readonly serverCpuMs: number;
  readonly serverUserMs: number;
  /** Of one processor. */
  readonly loadShare: number;
}

/** Runs this against a fresh server and a fresh load, and ends both whatever happens. */
export async function underLoad<Result>(
  name: ServerName,
  options: ServerOptions,
  run: (server: BenchServer, load: NativeLoad) => Promise<Result>,
): Promise<Result> {
  const load = new NativeLoad();
  let server: BenchServer | undefined;
  try {
    server = await startServer(name, options);
    return await run(server, load);
  } finally {
    await load.kill();
    await server?.stop();
  }
}

export interface Span {
  readonly warmMs: number;
  readonly ms: number;
  /** The load leaves the server time: what it uses says nothing about how far it is. */
  readonly isPaced?: boolean;
}

/** On a machine that others use, a server gets that many times less than it could take. */
const patience = 5;

/**
 * Measures for that long after a warm-up, which lets the server compile what it runs. Both last longer where the server
 * did not get at least half of its processor.
 *
 * @throws Error when a client was closed or told anything but events: then less was done than was asked for.
 */
export async function measured(
  server: BenchServer,
  load: NativeLoad,
  { warmMs, ms, isPaced = false }: Span,
): Promise<Measured> {
  const pass = (span: number): Promise<void> => (isPaced ? wait(span) : worked(server, span));
  await pass(warmMs);
  await load.count();
  const [cpuMs, userMs] = [server.cpuMs(), server.userMs()];
  await pass(ms);
  const counted = await load.count();
  const result = {
    ...counted,
    serverCpuMs: server.cpuMs() - cpuMs,
    serverUserMs: server.userMs() - userMs,
    loadShare: counted.loadCpuMs / counted.tookMs,
  };
  if (counted.closed > 0 || counted.strange > 0 || counted.failed > 0)
    throw new Error(
      `${counted.closed} clients were closed, ${counted.strange} frames were no events, ${counted.failed} requests failed`,
    );
  return result;
}

/** @throws Error when events did not arrive. */
export async function stopped(load: NativeLoad): Promise<void> {
  const { missing } = await load.stop();
  if (missing > 0) throw new Error(`${missing} events did not arrive`);
}

/** What was counted, by delivery: times in microseconds of the server, delays in milliseconds. */
export function perDelivery(counted: Measured) {
  return {
    cpuUs: (counted.serverCpuMs * 1000) / counted.delivered,
    userUs: (counted.serverUserMs * 1000) / counted.delivered,
    perSecond: (counted.delivered * 1000) / counted.tookMs,
    p50Ms: counted.p50Us / 1000,
    p99Ms: counted.p99Us / 1000,
    loadShare: counted.loadShare,
  };
}

/** So long, and until the server has used half of it. */
async function worked(server: BenchServer, ms: number): Promise<void> {
  const startedMs = performance.now();
  const cpuMs = server.cpuMs();
  await wait(ms);
  while (server.cpuMs() - cpuMs < ms / 2 && performance.now() - startedMs < ms * patience) await wait(20);
}
