import type { MaybePromise } from '../../flow/maybe-promise.ts';
import type { AuthorizedMessage } from '../events.ts';
import type { Services } from '../services.ts';

type ClientEvent = Extract<AuthorizedMessage, { kind: 'client-event' }>;

/** To every other subscriber of the channel. The frame is built anew: nothing else of the client's goes along (protocol.md 6). */
export function sendClientEvent(
  { connection, channel, event, data, userId }: ClientEvent,
  { bus, telemetry }: Pick<Services, 'bus' | 'telemetry'>,
): MaybePromise<void> {
  const { app, socketId } = connection;
  if (telemetry.isEnabled('client-event.sent')) {
    telemetry.emit('client-event.sent', {
      appId: app.id,
      socketId,
      channel,
      event,
      bytes: Buffer.byteLength(data),
    });
  }
  return bus.publish({
    kind: 'event',
    appId: app.id,
    channel,
    event,
    data,
    exceptSocketId: socketId,
    fromClient: true,
    ...(userId === undefined ? {} : { userId }),
  });
}
