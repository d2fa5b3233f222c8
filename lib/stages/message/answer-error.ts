import type { Connection, Transport } from '../../channels/connection.ts';
import type { SpillwayError } from '../../errors/spillway-error.ts';
import { errorMessage, subscriptionError } from '../../protocol/server-messages.ts';
import { errorExit } from '../pipeline.ts';

/** Whoever sent the message: known by its connection or, at the very start, by its wire. */
export type Sender = { readonly transport: Transport } | { readonly connection: Connection };

/** The wire the sender is on: what its messages are kept in order by. */
export function transportOf(sender: Sender): Transport {
  return 'connection' in sender ? sender.connection.transport : sender.transport;
}

/** Error exit of message: the one place that turns an error into frames. The connection stays open (protocol.md 2.4). */
export const answerError = errorExit(
  ['fanout', 'telemetry'],
  (error, sender: Sender, { fanout, telemetry }) => {
    const { connection } = transportOf(sender);
    if (connection === undefined || connection.closing) return;
    const appId = connection.app.id;
    const { socketId } = connection;
    const channel = failedSubscription(error);
    if (channel === undefined) {
      telemetry.emit('message.refused', { appId, socketId, code: error.code, event: undefined });
    } else {
      fanout.reply(connection, subscriptionError(channel, typeOf(error), error.message, error.entry.status));
      telemetry.emit('subscription.refused', { appId, socketId, channel, code: error.code });
    }
    fanout.reply(connection, errorMessage(error.message, error.entry.pusherCode ?? null));
  },
);

/** The channel that could not be subscribed. A second subscribe or an unsubscribe too many fails no subscription. */
function failedSubscription({ code, details }: SpillwayError): string | undefined {
  if (
    !code.startsWith('subscription.') ||
    code === 'subscription.duplicate' ||
    code === 'subscription.unknown'
  ) {
    return undefined;
  }
  return typeof details['channel'] === 'string' ? details['channel'] : undefined;
}

function typeOf({ code, entry }: SpillwayError): string {
  if (code === 'subscription.members-full' || code === 'subscription.too-many') return 'LimitReached';
  if (entry.status >= 500) return 'ServerError';
  return entry.status === 400 ? 'InvalidChannel' : 'AuthError';
}
