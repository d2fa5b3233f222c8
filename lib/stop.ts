import type { Subscription } from 'rxjs';
import type { Config } from '../config/schema.ts';
import type { AdminServer } from './admin/admin-server.ts';
import type { Edge } from './edge/edge.ts';
import { SpillwayError } from './errors/spillway-error.ts';
import type { Parts } from './parts.ts';
import type { RunningPipeline } from './stages/runner.ts';
import type { LogStream } from './telemetry/log-stream.ts';

/** How long clients may take to answer the close before they are cut off. */
const closingTimeMs = 5_000;

export interface Stoppable {
  readonly config: Config;
  readonly parts: Parts;
  readonly edge: Edge;
  readonly admin: AdminServer;
  readonly pipelines: readonly RunningPipeline[];
  readonly subscriptions: readonly Subscription[];
  readonly aborter: AbortController;
  readonly log: LogStream;
}

/**
 * Stops a server in the order that loses nothing: no new work, clients sent away, what is under way settled, then the
 * listeners and the log. Ends at the latest at `drain.deadlineMs`.
 */
export async function stopServer(running: Stoppable, reason: string): Promise<void> {
  const { config, parts, edge, pipelines } = running;
  const { clock, telemetry, connections } = parts;
  const startedMs = clock.now();
  const deadlineMs = startedMs + config.drain.deadlineMs;
  const isLate = (): boolean => clock.now() >= deadlineMs;

  parts.node.draining = true;
  telemetry.emit('server.draining', { signal: reason, connections: connections.size });
  edge.stopListening();
  await closeInWaves(parts, config, deadlineMs - closingTimeMs);
  const cutOffMs = Math.min(deadlineMs, clock.now() + closingTimeMs);
  await until(() => edge.open === 0 || clock.now() >= cutOffMs);
  edge.destroy();
  await until(() => edge.open === 0 || isLate());

  const sources = [edge.connects$, edge.messages$, edge.closes$, parts.publishes, parts.departures];
  for (const source$ of sources) source$.complete();
  let isSettled = false;
  void Promise.allSettled(pipelines.map((pipeline) => pipeline.completed)).then(() => {
    isSettled = true;
  });
  await until(() => isSettled || isLate());

  running.aborter.abort();
  await running.admin.close();
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

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await pause(20);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
