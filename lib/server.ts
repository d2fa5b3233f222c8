import { config as rxjs, exhaustMap, interval, Subscription, switchMap } from 'rxjs';
import type { ConfigWarning } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { connect } from '../pipelines/connect.ts';
import { delivery } from '../pipelines/delivery.ts';
import { disconnect } from '../pipelines/disconnect.ts';
import { message } from '../pipelines/message.ts';
import { publish } from '../pipelines/publish.ts';
import { webhook } from '../pipelines/webhook.ts';
import { type AdminDoor, type AdminServerOptions, startAdminServer } from './admin/admin-server.ts';
import { directWritesFor } from './edge/check-direct-writes.ts';
import { Edge } from './edge/edge.ts';
import { sweepEveryMs } from './edge/heartbeat.ts';
import { inTurns, type TurnQueue } from './flow/in-turns.ts';
import { isolate } from './flow/isolate.ts';
import { registerGauges } from './gauges.ts';
import { Api } from './http/api.ts';
import { modulesForStages, version } from './package.ts';
import { createNodeId, createParts, type Parts, type PartsOptions } from './parts.ts';
import { watchProcess } from './process-events.ts';
import { repairWatchlists } from './repair-watchlists.ts';
import type { SlotStage } from './stages/define-stage.ts';
import { loadStages } from './stages/load-stages.ts';
import { type RunningPipeline, runPipeline } from './stages/runner.ts';
import { stopServer } from './stop.ts';
import { sweepSockets } from './sweep.ts';
import type { Readiness } from './telemetry/health.ts';
import { type LogStream, toLogStream } from './telemetry/log-stream.ts';
import { Metrics, type MetricsSnapshot } from './telemetry/metrics.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { toMetrics } from './telemetry/event-metrics.ts';

export interface StartNotes {
  readonly warnings?: readonly ConfigWarning[];
  readonly isDevelopmentApp?: boolean;
}

/** What specs and embedders may put in place of the defaults. */
export interface StartOptions extends StartNotes, PartsOptions {
  readonly log?: LogStream;
  /** Answers operators; default: the listener of the configuration. A worker answers its primary. */
  readonly openAdmin?: (node: AdminNode) => Promise<AdminDoor>;
  /** Stages besides those the configuration names. */
  readonly stages?: readonly SlotStage[];
}

/** What a node shows to operators. */
export interface AdminNode extends AdminServerOptions {
  readonly snapshot: () => Promise<MetricsSnapshot>;
}

export interface RunningServer {
  readonly port: number;
  readonly adminPort: number | undefined;
  /** Sends the clients away, settles what is under way and ends, at the latest after `drain.deadlineMs`. */
  stop(reason: string): Promise<void>;
}

/** With what the server is made of, for those who look inside. */
export interface OpenServer extends RunningServer {
  readonly parts: Parts;
  readonly edge: Edge;
}

/** Puts a server together and starts it: configuration → parts → pipelines → listeners. */
export async function startServer(config: Config, options: StartOptions = {}): Promise<OpenServer> {
  const nodeId = options.nodeId ?? createNodeId();
  const telemetry = new Telemetry({ level: config.log.level });
  const log = options.log ?? toLogStream({ nodeId, level: config.log.level });
  const metrics = new Metrics();
  const subscriptions = [telemetry.events$.subscribe(log), telemetry.events$.subscribe(toMetrics(metrics))];
  subscriptions.push(new Subscription(watchProcess(telemetry)));
  metrics.registerCounter('spillway_log_lines_dropped_total', 'Log lines not written', () => log.dropped);
  try {
    return await assemble({ config, options, nodeId, telemetry, log, metrics, subscriptions });
  } catch (error) {
    for (const subscription of subscriptions) subscription.unsubscribe();
    await log.close();
    throw error;
  }
}

interface Foundation {
  readonly config: Config;
  readonly options: StartOptions;
  readonly nodeId: string;
  readonly telemetry: Telemetry;
  readonly log: LogStream;
  readonly metrics: Metrics;
  readonly subscriptions: Subscription[];
}

async function assemble(foundation: Foundation): Promise<OpenServer> {
  const { config, options, telemetry, metrics, subscriptions } = foundation;
  telemetry.emit('server.starting', {
    version,
    pid: process.pid,
    node: process.version,
  });
  for (const warning of options.warnings ?? []) telemetry.emit('config.warning', warning);
  rxjs.onUnhandledError = (error: unknown) =>
    telemetry.emit('server.failed', { code: 'internal', err: error });

  const stages = await collectStages(config, options, telemetry);
  const parts = createParts(config, telemetry, { ...options, nodeId: foundation.nodeId });
  const pipelines: RunningPipeline[] = [];
  const readiness = (): Readiness => readinessOf(parts, pipelines);
  const api = new Api({
    pathPrefix: config.server.path,
    maxBodyBytes: config.http.maxBodyBytes,
    fastPaths: config.server.fastPaths,
    apps: parts.apps,
    clock: parts.clock,
    telemetry,
    readiness,
    services: parts,
  });
  const edge = new Edge({
    config,
    node: parts.node,
    telemetry,
    onRequest: (req, res) => api.handle(req, res),
    directWrites: await directWritesFor(config, telemetry),
  });
  const aborter = new AbortController();
  pipelines.push(...runPipelines(parts, edge, { stages, signal: aborter.signal }));
  const closed = takeCloses(parts, edge, metrics);
  subscriptions.push(...runClocks(parts, edge));
  // While the ends of a storm are read, what is overdue does not wait until all of them have been.
  subscriptions.push(edge.ends$.subscribe(() => parts.fanout.flushOverdue()));
  subscriptions.push(parts.outbox.work$.subscribe((work) => parts.schedule.wake(work)));
  subscriptions.push(...repairs(parts));
  registerGauges(metrics, parts, edge, pipelines);
  await parts.stores.open();
  const { port, admin } = await listen(foundation, readiness, parts, edge);
  announceListening(foundation, port, admin);
  const running = { ...foundation, parts, edge, admin, pipelines, closed, aborter };
  const stop = once((reason: string) => stopServer(running, reason));
  return { port, adminPort: admin.port, parts, edge, stop };
}

/** A start that fails here, the port taken for instance, leaves the spool as it would leave it at a stop. */
async function listen(
  foundation: Foundation,
  readiness: () => Readiness,
  parts: Parts,
  edge: Edge,
): Promise<{ readonly port: number; readonly admin: AdminDoor }> {
  try {
    await parts.outbox.open(parts.endpoints.all());
    const port = await edge.listen();
    return { port, admin: await startAdmin(foundation, readiness, parts, edge) };
  } catch (error) {
    parts.schedule.close();
    await parts.stores.abandon();
    throw error;
  }
}

function readinessOf({ node, stores }: Parts, pipelines: readonly RunningPipeline[]): Readiness {
  const checks = pipelines.map(({ name, isUp }) => [`pipeline-${name}`, { ok: isUp() }] as const);
  return {
    ready: !node.draining,
    checks: { accepting: { ok: !node.draining }, ...Object.fromEntries(checks), ...stores.health?.() },
  };
}

async function collectStages(
  config: Config,
  options: StartOptions,
  telemetry: Telemetry,
): Promise<readonly SlotStage[]> {
  const loaded = await loadStages(config.stages, modulesForStages);
  for (const { stage, file } of loaded)
    telemetry.emit('stage.loaded', { stage: stage.name, slot: stage.slot, file });
  return [...loaded.map(({ stage }) => stage), ...(options.stages ?? [])];
}

/**
 * Departures taken in one turn of the event loop: a storm of them is not one long phase. While the ends of a storm are read
 * a turn lasts many times as long as what else is done in it, so little is done.
 */
const closesInTurn = { share: 1 / 32, leastMs: 0.5, mostMs: 2, capacity: 16_384 };

/** Sockets that closed by themselves depart; fulfilled when the source has completed and all of them have. */
function takeCloses(parts: Parts, edge: Edge, metrics: Metrics): Promise<void> {
  const closes$ = edge.closes$.pipe(
    inTurns({
      ...closesInTurn,
      onQueue: (queue) => registerCloses(metrics, queue),
    }),
  );
  return new Promise((resolve) => {
    closes$.subscribe({
      next: ({ socket: { connection }, code }) => {
        if (connection === undefined) return;
        const cause = code === 1006 ? 'error' : 'client';
        parts.departures.next({ kind: 'connection', connection, cause, closeCode: code });
      },
      complete: resolve,
    });
  });
}

function registerCloses(metrics: Metrics, queue: TurnQueue): void {
  const waiting = 'Closed sockets that have yet to depart';
  metrics.registerGauge('spillway_waiting_closes', waiting, () => queue.size);
  const inline = 'Closed sockets that departed before their turn, for want of room';
  metrics.registerCounter('spillway_closes_inline_total', inline, () => queue.overflows);
}

/** What nodes say to each other is said once: after a gap what followed from it is asked again. */
function repairs(parts: Parts): readonly Subscription[] {
  const repair$ = isolate(() => repairWatchlists(parts), {
    timeoutMs: 60_000,
    onError: (err) => parts.telemetry.emit('store.failed', { part: 'users', err }),
  });
  const { gaps$ } = parts.stores;
  return gaps$ === undefined ? [] : [gaps$.pipe(switchMap(() => repair$)).subscribe()];
}

function runPipelines(
  parts: Parts,
  edge: Edge,
  options: { readonly stages: readonly SlotStage[]; readonly signal: AbortSignal },
): readonly RunningPipeline[] {
  return [
    runPipeline(delivery, parts.schedule.deliveries$, parts, options),
    runPipeline(webhook, parts.schedule.readings$, parts, options),
    runPipeline(disconnect, parts.departures, parts, options),
    runPipeline(publish, parts.publishes, parts, options),
    runPipeline(message, edge.messages$, parts, options),
    runPipeline(connect, edge.connects$, parts, options),
  ];
}

/** What happens by the clock: liveness probes, authorisation deadlines, counts that wait for their time. */
function runClocks(parts: Parts, edge: Edge): readonly Subscription[] {
  const { server } = parts.config;
  const limits = {
    activityTimeoutMs: server.activityTimeoutSeconds * 1000,
    pongTimeoutMs: server.pongTimeoutSeconds * 1000,
  };
  const sweep$ = isolate(() => sweepSockets(parts, edge, limits), {
    timeoutMs: 60_000,
    onError: (err) =>
      parts.telemetry.emit('stage.failed', { stage: 'sweep', pipeline: 'clock', code: 'internal', err }),
  });
  return [
    interval(sweepEveryMs(limits))
      .pipe(exhaustMap(() => sweep$))
      .subscribe(),
    interval(250).subscribe(() => parts.announcer.sendWaitingCounts()),
  ];
}

async function startAdmin(
  { config, options, telemetry, metrics }: Foundation,
  readiness: () => Readiness,
  parts: Parts,
  edge: Edge,
): Promise<AdminDoor> {
  const openAdmin = options.openAdmin ?? startAdminServer;
  try {
    return await openAdmin({
      config: config.admin,
      readiness,
      metrics: () => metrics.text(),
      snapshot: () => metrics.snapshot(),
      contentType: metrics.contentType,
      webhooks: parts,
      onError: (path, err) => telemetry.emit('admin.failed', { path, err }),
    });
  } catch (error) {
    edge.stopListening();
    throw error;
  }
}

function announceListening({ config, options, telemetry }: Foundation, port: number, admin: AdminDoor): void {
  const { host } = config.server;
  const [app] = config.apps;
  if (options.isDevelopmentApp === true && app !== undefined) {
    telemetry.emit('app.development', { appId: app.id, key: app.key, host, port });
  }
  const apps = config.apps.length;
  telemetry.emit('server.listening', { host, port, adminPort: admin.port, apps, version });
}

function once<Argument>(work: (argument: Argument) => Promise<void>): (argument: Argument) => Promise<void> {
  let running: Promise<void> | undefined;
  return (argument) => (running ??= work(argument));
}
