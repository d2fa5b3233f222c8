import type { Config } from '../../../config/schema.ts';
import type { Connection } from '../../channels/connection.ts';
import type { ChannelKind } from '../../protocol/channel-name.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import { parseChannelName } from '../../protocol/channel-name.ts';
import type { ClientMessage } from '../../protocol/client-messages.ts';
import type { AuthorizedMessage } from '../events.ts';

const kindsWithClientEvents: readonly ChannelKind[] = ['private', 'encrypted', 'presence'];

/** The app allows them, the channel's kind does, the sender is subscribed, the data is small enough (protocol.md 6). */
export function authorizeClientEvent(
  connection: Connection,
  { event, channel, data, encoded }: Extract<ClientMessage, { kind: 'client-event' }>,
  { http }: Config,
): AuthorizedMessage {
  if (!connection.app.config.clientEvents.enabled) throw new SpillwayError('client-event.disabled');
  const subscription = connection.subscriptions.get(channel);
  const name = subscription === undefined ? parseChannelName(channel) : subscription.channel.name;
  if (name === undefined || !kindsWithClientEvents.includes(name.kind)) {
    throw new SpillwayError('client-event.channel-kind', { channel });
  }
  if (subscription === undefined) throw new SpillwayError('client-event.not-subscribed', { channel });
  if (Buffer.byteLength(data) > http.maxEventBytes) {
    throw new SpillwayError('client-event.too-large', { limitBytes: http.maxEventBytes });
  }
  return { kind: 'client-event', connection, channel, event, data, encoded, userId: subscription.userId };
}
