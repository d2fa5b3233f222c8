import type { Connection } from '../../channels/connection.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import type { AuthorizedMessage } from '../events.ts';

/** Only what one is subscribed to can be left (protocol.md 2.4). */
export function authorizeUnsubscribe(
  connection: Connection,
  { channel }: { readonly channel: string },
): AuthorizedMessage {
  if (!connection.subscriptions.has(channel)) throw new SpillwayError('subscription.unknown', { channel });
  return { kind: 'unsubscribe', connection, channel };
}
