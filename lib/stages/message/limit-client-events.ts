import type { Connection } from '../../channels/connection.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import { defineStage } from '../define-stage.ts';
import type { MessageDecoded } from '../events.ts';

/** At most so many client events per second and connection; the socket stays open (protocol.md 6, code 4301). */
export const limitClientEvents = defineStage({
  name: 'limit-client-events',
  needs: ['clock'],
  map: (decoded: MessageDecoded, { clock }): MessageDecoded => {
    const { connection, message } = decoded;
    const { enabled, perSecond } = connection.app.config.clientEvents;
    if (message.kind !== 'client-event' || !enabled || perSecond === 0) return decoded;
    if (!take(connection, perSecond, clock.now())) {
      throw new SpillwayError('client-event.rate', { limit: perSecond });
    }
    return decoded;
  },
});

/** A bucket of `perSecond` that refills with time, also when the clock is set back: a burst, then one each 1/perSecond. */
function take(connection: Connection, perSecond: number, nowMs: number): boolean {
  const elapsedMs = Math.max(0, nowMs - connection.clientEventsAtMs);
  const refilled = connection.clientEventsLeft + (elapsedMs * perSecond) / 1000;
  connection.clientEventsAtMs = nowMs;
  connection.clientEventsLeft = Math.min(perSecond, refilled);
  if (connection.clientEventsLeft < 1) return false;
  connection.clientEventsLeft--;
  return true;
}
