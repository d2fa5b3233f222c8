import type { JoiningSubscription, Subscription } from '../../channels/subscription.ts';
import type { RecalledEvent } from '../../cache/cached-events.ts';
import { eventText } from '../../channels/delivery.ts';
import { SpillwayError, toSpillwayError } from '../../errors/spillway-error.ts';
import { andThen, type MaybePromise, recover } from '../../flow/maybe-promise.ts';
import type { ChangeResult, Join, Member } from '../../membership/membership-store.ts';
import {
  cacheMiss,
  channelEvent,
  presenceSucceeded,
  subscriptionSucceeded,
} from '../../protocol/server-messages.ts';
import { finishLeaves, toLeave } from '../disconnect/leaves.ts';
import type { AuthorizedMessage } from '../events.ts';
import type { Services } from '../services.ts';
import { ensureNotSubscribed } from './authorize-subscribe.ts';

type Subscribe = Extract<AuthorizedMessage, { kind: 'subscribe' }>;
type Needs = Pick<
  Services,
  'announcer' | 'cachedEvents' | 'fanout' | 'membership' | 'subscriptions' | 'telemetry'
>;
type Joined = Extract<ChangeResult, { kind: 'joined' }>;

/**
 * Joins the channel, in the store first. Whatever happens on the channel until the answer is held for the joiner, and a
 * connection that closed meanwhile is not joined: its leave is on the way already.
 */
export function subscribe({ connection, channel, member }: Subscribe, services: Needs): MaybePromise<void> {
  // A stage in the slot that works on several messages at once lets a second one past `authorize`.
  ensureNotSubscribed(connection, channel.name);
  const joining = services.subscriptions.begin(connection, channel, member?.userId);
  // A user's own channel has no occupancy, no members and no count: there is nothing to store (protocol.md 3.6).
  if (channel.kind === 'user') {
    succeed(services, joining, { kind: 'joined', version: 0, members: [], occupied: false }, undefined);
    return undefined;
  }
  return recover(
    () => join(services, joining, member),
    (error) => {
      services.subscriptions.abandon(joining);
      throw toSpillwayError(error, 'subscription.failed', { channel: channel.name });
    },
  );
}

/** One call carries the channel's leaves that nobody has settled yet, then the join: a leave never overtakes it. */
function join(services: Needs, joining: JoiningSubscription, member: Member | undefined): MaybePromise<void> {
  const leaves = services.subscriptions.takeLeaves(joining);
  const changes = [...leaves.map(toLeave), joinOf(joining, member)];
  return andThen(services.membership.apply(changes), (results) => {
    finishLeaves(services, leaves, results);
    return complete(services, joining, results.at(-1));
  });
}

function joinOf({ connection, channel, incarnation }: JoiningSubscription, member: Member | undefined): Join {
  const { app, socketId } = connection;
  return {
    kind: 'join',
    appId: app.id,
    channel: channel.name.name,
    socketId,
    incarnation,
    maxMembers: app.config.presence.maxMembers,
    counted: app.config.subscriptionCount && channel.name.kind !== 'presence',
    ...(member === undefined ? {} : { member }),
  };
}

function complete(
  services: Needs,
  joining: JoiningSubscription,
  result: ChangeResult | undefined,
): MaybePromise<void> {
  if (!services.subscriptions.isCurrent(joining)) return undefined;
  const { connection, channel } = joining;
  if (result?.kind !== 'joined') {
    const limit = connection.app.config.presence.maxMembers;
    throw new SpillwayError('subscription.members-full', { channel: channel.name.name, limit });
  }
  if (!channel.name.isCache) {
    succeed(services, joining, result, undefined);
    return undefined;
  }
  return andThen(services.cachedEvents.recall(channel.app.id, channel.name.name), (cached) => {
    if (services.subscriptions.isCurrent(joining)) succeed(services, joining, result, cached);
  });
}

/** Success first, then the cached event, then what happened since (protocol.md 2.3). */
function succeed(
  services: Needs,
  joining: JoiningSubscription,
  joined: Joined,
  cached: RecalledEvent | undefined,
): void {
  const { subscriptions, fanout, announcer, telemetry } = services;
  const { connection, channel } = joining;
  const { name, kind, needsAuth, isCache } = channel.name;
  const subscription = subscriptions.activate(joining, joined.version);
  if (needsAuth) connection.authorised = true;
  fanout.reply(connection, kind === 'presence' ? presenceText(name, joined) : subscriptionSucceeded(name));
  if (isCache) replayCache(services, subscription, joining, cached);
  announcer.catchUp(subscription, joining.heldAnnouncements);

  const fields = { appId: channel.app.id, channel: name };
  if (joined.occupied) telemetry.emit('channel.occupied', fields);
  if (telemetry.isEnabled('subscription.opened')) {
    telemetry.emit('subscription.opened', { ...fields, socketId: connection.socketId });
  }
}

function presenceText(channel: string, { members }: Joined): string {
  return presenceSucceeded(
    channel,
    members.map(({ userId, userInfoJson }) => [userId, userInfoJson] as const),
  );
}

/**
 * The cached event, or that there is none. Events for the subscriber that came while it was looked up are newer or the
 * same: then they are what it begins with.
 */
function replayCache(
  { fanout }: Needs,
  { connection, channel }: Subscription,
  { heldEvents }: JoiningSubscription,
  cached: RecalledEvent | undefined,
): void {
  const { name } = channel.name;
  const held = heldEvents.filter(({ exceptSocketId }) => exceptSocketId !== connection.socketId);
  for (const event of held) fanout.reply(connection, eventText(event));
  if (held.length > 0) return;
  fanout.reply(
    connection,
    cached === undefined ? cacheMiss(name) : channelEvent(cached.event, name, cached.data),
  );
}
