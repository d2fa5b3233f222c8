import type { Config } from '../../../config/schema.ts';
import type { Connection } from '../../channels/connection.ts';
import { SpillwayError } from '../../errors/spillway-error.ts';
import type { Member } from '../../membership/membership-store.ts';
import { type ChannelName, parseChannelName } from '../../protocol/channel-name.ts';
import type { ClientMessage } from '../../protocol/client-messages.ts';
import { maxChannelNameLength, maxUserIdLength } from '../../protocol/limits.ts';
import { parseChannelData } from '../../protocol/presence-data.ts';
import { channelStringToSign, isSignature, splitAuth } from '../../protocol/signatures.ts';
import type { AuthorizedMessage } from '../events.ts';

type Subscribe = Extract<ClientMessage, { kind: 'subscribe' }>;

/** Name, duplicate, kind, signature, member: in this order, so that nothing is parsed before it is signed (protocol.md 2.2, 4). */
export function authorizeSubscribe(
  connection: Connection,
  message: Subscribe,
  config: Config,
): AuthorizedMessage {
  const channel = parseChannelName(message.channel);
  if (channel === undefined) {
    const maxLength = maxChannelNameLength;
    throw new SpillwayError('subscription.invalid-channel', { channel: message.channel, maxLength });
  }
  ensureNew(connection, channel, config.server.maxSubscriptionsPerConnection);
  if (channel.kind === 'user') ensureSignedInAs(connection, channel);
  if (channel.needsAuth) ensureSigned(connection, channel, message);
  const member =
    channel.kind === 'presence' ? memberOf(connection, channel.name, message.channelData) : undefined;
  return { kind: 'subscribe', connection, channel, member };
}

function ensureNew(connection: Connection, { name }: ChannelName, limit: number): void {
  ensureNotSubscribed(connection, name);
  if (limit > 0 && connection.subscriptions.size >= limit) {
    throw new SpillwayError('subscription.too-many', { channel: name, limit });
  }
}

export function ensureNotSubscribed(connection: Connection, channel: string): void {
  if (connection.subscriptions.has(channel) || connection.joining.has(channel)) {
    throw new SpillwayError('subscription.duplicate', { channel });
  }
}

function ensureSignedInAs(connection: Connection, { name, userId }: ChannelName): void {
  if (connection.user !== undefined && connection.user.id === userId) return;
  throw new SpillwayError('subscription.not-signed-in', { channel: name });
}

function ensureSigned({ socketId, app }: Connection, { name, kind }: ChannelName, message: Subscribe): void {
  if (message.auth === undefined) throw new SpillwayError('subscription.auth-missing', { channel: name });
  const auth = splitAuth(message.auth);
  const key = auth === undefined ? undefined : app.signingKeys.get(auth.key);
  if (auth === undefined || key === undefined) {
    throw new SpillwayError('subscription.auth-key', { channel: name, key: auth?.key ?? message.auth });
  }
  const channelData = kind === 'presence' ? message.channelData : undefined;
  const signed = channelStringToSign(socketId, name, channelData);
  if (isSignature(key, signed, auth.signature)) return;
  throw new SpillwayError('subscription.auth-signature', { channel: name, signed });
}

/** Who joins: the signed `channel_data`, or else the user this connection is signed in as (protocol.md 3.3). */
function memberOf({ user, app }: Connection, channel: string, channelData: string | undefined): Member {
  const { maxUserInfoBytes } = app.config.presence;
  if (channelData !== undefined)
    return parseChannelData(channel, channelData, { maxUserIdLength, maxUserInfoBytes });
  if (user === undefined) {
    const problem = 'it is missing, and this connection is not signed in';
    throw new SpillwayError('subscription.channel-data', { channel, problem });
  }
  if (user.userInfoJson !== undefined && Buffer.byteLength(user.userInfoJson) > maxUserInfoBytes) {
    const problem = `it is larger than ${maxUserInfoBytes} bytes`;
    throw new SpillwayError('subscription.user-info', { channel, problem });
  }
  return { userId: user.id, userInfoJson: user.userInfoJson };
}
