import type { Channel } from '../../channels/channel.ts';
import type { JoiningSubscription } from '../../channels/subscription.ts';
import type { RecalledEvent } from '../../cache/cached-events.ts';
import { SpillwayError, toSpillwayError } from '../../errors/spillway-error.ts';
import { andThen, type MaybePromise, recover } from '../../flow/maybe-promise.ts';
import type { ChangeResult, Join, Member } from '../../membership/membership-store.ts';
import { subscriptionCount, subscriptionSucceeded } from '../../protocol/server-messages.ts';
import { encodeTextFrame } from '../../protocol/websocket-frame.ts';
import { finishLeaves, toLeave } from '../disconnect/leaves.ts';
import type { AuthorizedMessage } from '../events.ts';
import type { Services } from '../services.ts';
import { ensureNotSubscribed } from './authorize-subscribe.ts';
import { succeed } from './succeed.ts';
import { tellCacheMiss } from './tell-cache-miss.ts';

type Subscribe = Extract<AuthorizedMessage, { kind: 'subscribe' }>;
type Needs = Pick<
  Services,
  | 'bus'
  | 'cachedEvents'
  | 'clock'
  | 'departures'
  | 'endpoints'
  | 'fanout'
  | 'membership'
  | 'outbox'
  | 'subscriptions'
  | 'telemetry'
  | 'welcomes'
>;

/**
 * Joins the channel, in the store first. Nothing of the channel reaches the joiner until it is answered, and a connection
 * that closed meanwhile is not joined: its leave is on the way already.
 */
export function subscribe({ connection, channel, member }: Subscribe, services: Needs): MaybePromise<void> {
  // A stage in the slot that works on several messages at once lets a second one past `authorize`.
  ensureNotSubscribed(connection, channel.name);
  const joining = services.subscriptions.begin(connection, channel, member?.userId);
  // A user's own channel has no occupancy, no members and no count: there is nothing to store (protocol.md 3.6).
  if (channel.kind === 'user') {
    return andThen(listening(services, joining), () => {
      if (services.subscriptions.isCurrent(joining)) succeedPlain(services, joining, 0, undefined);
    });
  }
  const joined = recover(
    () => join(services, joining, member),
    (error) => {
      services.subscriptions.abandon(joining);
      throw toSpillwayError(error, 'subscription.failed', { channel: channel.name });
    },
  );
  return andThen(joined, (version) => {
    const answered = recover(
      () => answer(services, joining, version),
      (error) => {
        withdraw(services, joining);
        throw toSpillwayError(error, 'subscription.failed', { channel: channel.name });
      },
    );
    return andThen(answered, (isMiss) => (isMiss ? tellCacheMiss(joining.channel, services) : undefined));
  });
}

/**
 * One call carries the channel's leaves that nobody has settled yet, then the join: a leave never overtakes it. Answers
 * the version with the join in it.
 */
function join(
  services: Needs,
  joining: JoiningSubscription,
  member: Member | undefined,
): MaybePromise<number> {
  const leaves = services.subscriptions.takeLeaves(joining);
  const changes = [...leaves.map(toLeave), joinOf(joining, member)];
  const applied = recover(
    () => services.membership.apply(changes),
    (error) => {
      services.subscriptions.giveBack(leaves);
      throw error;
    },
  );
  return andThen(applied, (results) => {
    finishLeaves(services, leaves, results);
    return versionOf(services, joining, results.at(-1));
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

function versionOf(
  { telemetry }: Needs,
  { channel: { app, name } }: JoiningSubscription,
  result: ChangeResult | undefined,
): number {
  if (result?.kind !== 'joined') {
    const limit = app.config.presence.maxMembers;
    throw new SpillwayError('subscription.members-full', { channel: name.name, limit });
  }
  if (result.occupied) telemetry.emit('channel.occupied', { appId: app.id, channel: name.name });
  return result.version;
}

/** Whoever is told that it is subscribed is sent what any node publishes from then on. */
function listening({ bus }: Needs, { channel }: JoiningSubscription): MaybePromise<void> {
  return bus.listening(channel.app.id, channel.name.name);
}

/** Answers whether the subscriber was told that its cache channel holds no event. */
function answer(services: Needs, joining: JoiningSubscription, version: number): MaybePromise<boolean> {
  const { cachedEvents, subscriptions, welcomes } = services;
  const { app, name } = joining.channel;
  const recalled = andThen(listening(services, joining), () =>
    name.isCache ? cachedEvents.recall(app.id, name.name) : undefined,
  );
  return andThen(recalled, (cached) => {
    if (!subscriptions.isCurrent(joining)) return false;
    if (name.kind === 'presence') return welcomes.welcome(joining, cached);
    return succeedPlain(services, joining, version, cached);
  });
}

/** A channel without members shows its subscriber the number of subscriptions at most, and none from before it joined. */
function succeedPlain(
  services: Needs,
  joining: JoiningSubscription,
  version: number,
  cached: RecalledEvent | undefined,
): boolean {
  const { channel } = joining;
  const count = countSince(channel, version);
  const success = {
    frame: encodeTextFrame(subscriptionSucceeded(channel.name.name)),
    version: count?.version ?? version - 1,
    since: count && encodeTextFrame(subscriptionCount(channel.name.name, count.count)),
  };
  return succeed(services, joining, success, cached);
}

/** The last count heard of, if it is of the version or later; otherwise it is on its way. */
function countSince({ lastCount }: Channel, version: number): Channel['lastCount'] {
  return lastCount !== undefined && lastCount.version >= version ? lastCount : undefined;
}

/** The store has the join, but there is no answer: it is undone the way every subscription ends. */
function withdraw({ subscriptions, departures }: Needs, joining: JoiningSubscription): void {
  if (!subscriptions.isCurrent(joining)) return;
  const { connection, channel } = subscriptions.activate(joining, 0);
  departures.next({ kind: 'unsubscribe', connection, channel: channel.name.name });
}
