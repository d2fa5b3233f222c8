import type { Connection } from './channels/connection.ts';
import type { Edge } from './edge/edge.ts';
import { checkAlive, type HeartbeatLimits } from './edge/heartbeat.ts';
import { SpillwayError } from './errors/spillway-error.ts';
import type { MaybePromise } from './flow/maybe-promise.ts';
import { inSlices } from './flow/slices.ts';
import type { Parts } from './parts.ts';

/**
 * Looks at every socket once: pings those that are silent, ends those that gave no sign of life and those that did not
 * authorise in time. Other work goes on in between.
 */
export function sweepSockets(parts: Parts, edge: Edge, limits: HeartbeatLimits): MaybePromise<void> {
  const { clock, disconnect } = parts;
  // One for all it ends: a stack costs more than the rest of a visit.
  const silent = new SpillwayError('connection.pong-timeout');
  const unauthorised = new SpillwayError('connection.unauthorised');
  return inSlices(
    clock,
    edge.sockets,
    (socket) => {
      const nowMs = clock.now();
      const { connection } = socket;
      if (!checkAlive(socket, limits, nowMs)) {
        socket.isSilent = true;
        if (connection === undefined) socket.terminate();
        else disconnect(connection, 'pong-timeout', silent);
      } else if (connection !== undefined && isUnauthorised(connection, nowMs)) {
        disconnect(connection, 'unauthorised', unauthorised);
      }
      return true;
    },
    () => undefined,
  );
}

function isUnauthorised({ app, authorised, openedAtMs }: Connection, nowMs: number): boolean {
  const limitMs = app.config.requireAuthWithinSeconds * 1000;
  return limitMs > 0 && !authorised && nowMs - openedAtMs >= limitMs;
}
