import type { RecalledEvent } from '../../cache/cached-events.ts';
import { eventText } from '../../channels/delivery.ts';
import type { JoiningSubscription, Subscription } from '../../channels/subscription.ts';
import { cacheMiss, channelEvent } from '../../protocol/server-messages.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'fanout' | 'subscriptions' | 'telemetry'>;

/** What a joiner is sent, frames ready to be written. */
export interface Success {
  readonly frame: Buffer;
  /** The version of the channel it shows; 0 for none. */
  readonly version: number;
  /** What was announced after that version, if anything was. */
  readonly since: Buffer | undefined;
}

/**
 * Success first, then the cached event, then what happened since (protocol.md 2.3). Answers whether the subscriber was
 * told that its cache channel holds no event.
 */
export function succeed(
  services: Needs,
  joining: JoiningSubscription,
  { frame, version, since }: Success,
  cached: RecalledEvent | undefined,
): boolean {
  const { subscriptions, fanout, telemetry } = services;
  const { connection, channel } = joining;
  const { name, needsAuth, isCache } = channel.name;
  const subscription = subscriptions.activate(joining, version);
  if (needsAuth) connection.authorised = true;
  fanout.replyEncoded(connection, frame);
  const isMiss = isCache && replayCache(services, subscription, joining, cached);
  if (since !== undefined) fanout.replyEncoded(connection, since);
  if (telemetry.isEnabled('subscription.opened')) {
    const { socketId, app } = connection;
    telemetry.emit('subscription.opened', { appId: app.id, channel: name, socketId });
  }
  return isMiss;
}

/**
 * The cached event, or that there is none. Events for the subscriber that came while it was looked up are newer or the
 * same: then they are what it begins with. Answers whether there was none.
 */
function replayCache(
  { fanout }: Needs,
  { connection, channel }: Subscription,
  { heldEvents }: JoiningSubscription,
  cached: RecalledEvent | undefined,
): boolean {
  const { name } = channel.name;
  const held = heldEvents.filter(({ exceptSocketId }) => exceptSocketId !== connection.socketId);
  for (const event of held) fanout.reply(connection, eventText(event));
  if (held.length > 0) return false;
  fanout.reply(
    connection,
    cached === undefined ? cacheMiss(name) : channelEvent(cached.event, name, cached.data),
  );
  return cached === undefined;
}
