import cluster from 'node:cluster';
import type { Config } from '../../config/schema.ts';
import { type AdminServer, startAdminServer } from '../admin/admin-server.ts';
import { AppRegistry } from '../apps/app-registry.ts';
import { workerEntry, version } from '../package.ts';
import { createNodeId } from '../parts.ts';
import { watchProcess } from '../process-events.ts';
import type { RunningServer, StartNotes } from '../server.ts';
import { toMetrics } from '../telemetry/event-metrics.ts';
import { type LogDestination, openLogFile } from '../telemetry/log-destination.ts';
import { type LogStream, toLogStream } from '../telemetry/log-stream.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { readinessOfWorkers, webhooksOfWorkers } from './ask-workers.ts';
import { ForkedWorker } from './forked-worker.ts';
import { workerCount } from './worker-count.ts';
import { WorkerMetrics } from './worker-metrics.ts';
import { type Listening, WorkerPool } from './worker-pool.ts';

/** What the primary says and counts itself; lines of workers go to the same destination. */
interface Voice {
  readonly nodeId: string;
  readonly telemetry: Telemetry;
  readonly destination: LogDestination;
  readonly log: LogStream;
  readonly metrics: Metrics;
}

/**
 * Starts a server of several workers: each is a node of its own behind one port, and this process, the primary, takes no
 * client. It hands connections to the workers in turn, answers operators for all of them, gathers their log lines, and
 * replaces those that end. SIGHUP replaces all of them, one after the other.
 */
export async function startWorkers(config: Config, notes: StartNotes = {}): Promise<RunningServer> {
  const voice = createVoice(config);
  const unwatch = watchProcess(voice.telemetry);
  const pool = createPool(config, voice);
  const onHangup = (): void => void pool.workers.roll();
  const close = async (): Promise<void> => {
    process.off('SIGHUP', onHangup);
    unwatch();
    voice.telemetry.close();
    await voice.log.close();
  };
  try {
    announceStart(voice, notes);
    process.on('SIGHUP', onHangup);
    const listening = await pool.workers.start();
    const admin = await openAdmin(config, voice, pool);
    announceListening(config, notes, voice, listening, admin);
    const stop = once(async (reason: string) => {
      const startedMs = performance.now();
      killLeftWorkersAtExit(pool.workers);
      await pool.workers.stop(reason);
      await admin.close();
      voice.telemetry.emit('server.stopped', { durationMs: Math.round(performance.now() - startedMs) });
      await close();
    });
    return { port: listening.port, adminPort: admin.port, stop };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Pool {
  readonly workers: WorkerPool<ForkedWorker>;
  readonly metrics: WorkerMetrics;
}

function createVoice(config: Config): Voice {
  const nodeId = createNodeId();
  const telemetry = new Telemetry({ level: config.log.level });
  const destination = openLogFile({ onCaughtUp: (lines) => telemetry.emit('log.dropped', { lines }) });
  const log = toLogStream({ nodeId, level: config.log.level, destination, pretty: process.stdout.isTTY });
  const metrics = new Metrics();
  metrics.registerCounter('spillway_log_lines_dropped_total', 'Log lines not written', () => log.dropped);
  const count = toMetrics(metrics);
  void telemetry.events$.forEach((event) => {
    log.next(event);
    count(event);
  });
  return { nodeId, telemetry, destination, log, metrics };
}

/**
 * Connections are handed out in turn: they stay for hours, so an even spread is worth what a connection costs more than
 * where workers accept by themselves. These took between 20 and 176 of 400 that arrived at four of them.
 */
function createPool(config: Config, { destination, metrics, telemetry }: Voice): Pool {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: workerEntry,
    args: [],
    // Structured clones: metrics may be NaN, and what is not known is undefined.
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const fork = (place: number): ForkedWorker =>
    new ForkedWorker(cluster.fork(), {
      place,
      config,
      isPretty: process.stdout.isTTY,
      onLine: (line) => destination.write(line),
    });
  const workers = new WorkerPool({
    size: workerCount(config.server.workers),
    fork,
    telemetry,
    deadlineMs: config.drain.deadlineMs,
    onEnded: (worker) => measured.retire(worker),
  });
  const measured = new WorkerMetrics(metrics, () => workers.alive);
  return { workers, metrics: measured };
}

async function openAdmin(
  config: Config,
  { telemetry, metrics }: Voice,
  { workers, metrics: merged }: Pool,
): Promise<AdminServer> {
  const serving = () => workers.serving;
  try {
    return await startAdminServer({
      config: config.admin,
      readiness: () => readinessOfWorkers(serving, workerCount(config.server.workers)),
      metrics: () => merged.text(),
      contentType: metrics.contentType,
      webhooks: webhooksOfWorkers(serving, new AppRegistry(config.apps)),
      onError: (path, err) => telemetry.emit('admin.failed', { path, err }),
    });
  } catch (error) {
    await workers.stop('start failed');
    throw error;
  }
}

function announceStart({ telemetry }: Voice, notes: StartNotes): void {
  telemetry.emit('server.starting', { version, pid: process.pid, node: process.version });
  for (const warning of notes.warnings ?? []) telemetry.emit('config.warning', warning);
}

function announceListening(
  { server, apps }: Config,
  { isDevelopmentApp }: StartNotes,
  { telemetry }: Voice,
  { port }: Listening,
  admin: AdminServer,
): void {
  const { host } = server;
  const [app] = apps;
  if (isDevelopmentApp === true && app !== undefined)
    telemetry.emit('app.development', { appId: app.id, key: app.key, host, port });
  telemetry.emit('server.listening', {
    host,
    port,
    adminPort: admin.port,
    apps: apps.length,
    workers: workerCount(server.workers),
    version,
  });
}

/** A second signal ends the primary in the middle of a stop: then nobody is left to wait for. */
function killLeftWorkersAtExit(workers: WorkerPool<ForkedWorker>): void {
  process.once('exit', () => {
    for (const worker of workers.alive) worker.kill();
  });
}

function once<Argument>(work: (argument: Argument) => Promise<void>): (argument: Argument) => Promise<void> {
  let running: Promise<void> | undefined;
  return (argument) => (running ??= work(argument));
}
