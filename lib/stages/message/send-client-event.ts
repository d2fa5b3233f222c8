import { isPromise, type MaybePromise } from '../../flow/maybe-promise.ts';
import type { AuthorizedMessage } from '../events.ts';
import type { Services } from '../services.ts';

type ClientEvent = Extract<AuthorizedMessage, { kind: 'client-event' }>;

type Needs = Pick<Services, 'bus' | 'endpoints' | 'outbox' | 'telemetry'>;

/**
 * To every other subscriber of the channel, then to the endpoints that asked for client events. The frame is built anew:
 * nothing else of the client's goes along (protocol.md 6).
 */
export function sendClientEvent(message: ClientEvent, services: Needs): MaybePromise<void> {
  const published = publish(message, services);
  return isPromise(published)
    ? tellEndpointsAfter(published, message, services)
    : tellEndpoints(message, services);
}

function tellEndpointsAfter(
  published: PromiseLike<void>,
  message: ClientEvent,
  services: Needs,
): MaybePromise<void> {
  return published.then(() => tellEndpoints(message, services));
}

function publish(
  { connection, channel, event, data, encoded, userId }: ClientEvent,
  { bus, telemetry }: Needs,
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
    encoded,
    userId,
    exceptSocketId: socketId,
    fromClient: true,
  });
}

function tellEndpoints(
  { connection, channel, event, data, userId }: ClientEvent,
  { endpoints, outbox }: Needs,
): MaybePromise<void> {
  const { app, socketId } = connection;
  if (!endpoints.want(app.id, 'client_event', channel)) return undefined;
  const sender = userId === undefined ? {} : { userId };
  return outbox.append([{ kind: 'client_event', appId: app.id, channel, event, data, socketId, ...sender }]);
}
