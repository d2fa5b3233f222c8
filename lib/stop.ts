import type { Subscription } from 'rxjs';
import type { Config } from '../config/schema.ts';
import type { AdminDoor } from './admin/admin-server.ts';
import type { Edge } from './edge/edge.ts';
import { SpillwayError } from './errors/spillway-error.ts';
import type { MaybePromise } from './flow/maybe-promise.ts';
import type { Parts } from './parts.ts';
import type { RunningPipeline } from './stages/runner.ts';
import type { LogStream } from './telemetry/log-stream.ts';

/** How long clients may take to answer the close before they are cut off. */
const closingTimeMs = 5_000;
/** Of the time to the deadline, what is kept for settling and for the last webhooks, and for writing what is left. */
const webhookShare = 0.4;
const lastActsMs = 1_000;

export interface Stoppable {
  readonly config: Config;
  readonly parts: Parts;
  readonly edge: Edge;
  readonly admin: AdminDoor;
  readonly pipelines: readonly RunningPipeline[];
  /** Fulfilled when the source of closes has completed and every closed socket has departed. */
  readonly closed: Promise<void>;
  readonly subscriptions: readonly Subscription[];
  readonly aborter: AbortController;
  readonly log: LogStream;
}

/**
 * Stops a server in the order that loses nothing: no new work, clients sent away, every departure settled, endpoints told
 * what they take, the rest kept, then the listeners and the log. Ends at the latest at `drain.deadlineMs`.
 */
export async function stopServer(running: Stoppable, reason: string): Promise<void> {
  const { config, parts, edge } = running;
  const { clock, telemetry, connections } = parts;
  const startedMs = clock.now();
  const { deadlineMs: allowedMs } = config.drain;
  const lastActsAtMs = startedMs + allowedMs - Math.min(lastActsMs, allowedMs / 4);
  const webhooksFromMs = startedMs + (parts.endpoints.all().length === 0 ? 1 : 1 - webhookShare) * allowedMs;

  parts.node.draining = true;
  telemetry.emit('server.draining', { signal: reason, connections: connections.size });
  edge.stopListening();
  await closeInWaves(parts, config, Math.max(startedMs + allowedMs / 4, webhooksFromMs - closingTimeMs));
  const cutOffMs = Math.min(webhooksFromMs, clock.now() + closingTimeMs);
  await until(() => edge.open === 0 || clock.now() >= cutOffMs);
  edge.destroy();

  const isLate = (): boolean => clock.now() >= lastActsAtMs;
  await until(() => edge.open === 0 || isLate());
  edge.closes$.complete();
  await inTime(isLate, running.closed);
  for (const source$ of [edge.connects$, edge.messages$, parts.publishes, parts.departures])
    source$.complete();
  await inTime(isLate, completed(running, ['connect', 'message', 'publish', 'disconnect']));
  await inTime(isLate, settled(parts.stores.settle()));
  await inTime(isLate, parts.schedule.drain());
  parts.schedule.close();
  await inTime(isLate, completed(running, ['webhook', 'delivery']));
  const isOver = (): boolean => clock.now() >= startedMs + allowedMs;
  await inTime(isOver, settled(parts.stores.close()));

  running.aborter.abort();
  await running.admin.close();
  await parts.closePost();
  telemetry.emit('server.stopped', { durationMs: clock.now() - startedMs });
  for (const subscription of running.subscriptions) subscription.unsubscribe();
  await running.log.close();
}

/**
 * Sends the clients away in waves: 4200 makes stock clients reconnect at once with no jitter of their own, so the pace
 * is set here (protocol.md 1.4). When the deadline is near, what is left goes at once.
 */
async function closeInWaves(parts: Parts, { drain }: Config, deadlineMs: number): Promise<void> {
  const error = new SpillwayError('connection.draining');
  while (parts.connections.size > 0) {
    const isLate = parts.clock.now() >= deadlineMs;
    const wave = [...parts.connections.all()].slice(0, isLate ? undefined : drain.perWave);
    for (const connection of wave) parts.disconnect(connection, 'drain', error);
    if (parts.connections.size > 0) await pause(drain.waveMs * (0.5 + Math.random()));
  }
}

/** What flows through these pipelines has come to its end. */
function completed({ pipelines }: Stoppable, names: readonly string[]): Promise<unknown> {
  return Promise.all(
    pipelines.filter(({ name }) => names.includes(name)).map((pipeline) => pipeline.completed),
  );
}

/** Waits for the work, but not when it is late. The work itself never rejects. */
async function inTime(isLate: () => boolean, work: Promise<unknown>): Promise<void> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  await until(() => isDone || isLate());
}

async function settled(work: MaybePromise<void>): Promise<void> {
  await work;
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await pause(20);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
