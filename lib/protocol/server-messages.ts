/** A member of a presence channel; its info is JSON text that was checked when the member joined. */
type PresenceMember = readonly [userId: string, userInfoJson: string | undefined];

interface WatchlistEvent {
  readonly name: 'online' | 'offline';
  readonly userIds: readonly string[];
}

/** The data of an event, and the same as a JSON string with its quotes. */
export interface EncodedData {
  readonly data: string;
  readonly json: string;
}

/** Tells a new connection its socket id and how long it may be silent (protocol.md 1.2). */
export function connectionEstablished(socketId: string, activityTimeoutSeconds: number): string {
  const data = JSON.stringify({ socket_id: socketId, activity_timeout: activityTimeoutSeconds });
  return JSON.stringify({ event: 'pusher:connection_established', data });
}

/** Reports an error; the only frame whose data is an object (protocol.md 2.1). */
export function errorMessage(message: string, code: number | null): string {
  return JSON.stringify({ event: 'pusher:error', data: { code, message } });
}

/** Answers `pusher:ping` (protocol.md 1.3). */
export function pong(): string {
  return '{"event":"pusher:pong","data":"{}"}';
}

/** Confirms a subscription to a channel without members (protocol.md 2.3). */
export function subscriptionSucceeded(channel: string): string {
  return onChannel('pusher_internal:subscription_succeeded', channel, '"{}"');
}

/** Confirms a subscription to a presence channel with the members it has now (protocol.md 3.3). */
export function presenceSucceeded(channel: string, members: Iterable<PresenceMember>): string {
  return presenceSucceededFrom(channel, presenceData(members));
}

/**
 * Encodes the members of a presence channel as the string-JSON of {@link presenceSucceededFrom}, quotes included, so
 * that one encoding serves many subscribers (protocol.md 3.3).
 */
export function presenceData(members: Iterable<PresenceMember>): string {
  const ids: string[] = [];
  const hash: string[] = [];
  for (const [userId, userInfoJson] of new Map(members)) {
    const id = JSON.stringify(userId);
    ids.push(id);
    hash.push(`${id}:${userInfoJson ?? 'null'}`);
  }
  const presence = `{"count":${ids.length},"ids":[${ids.join(',')}],"hash":{${hash.join(',')}}}`;
  return JSON.stringify(`{"presence":${presence}}`);
}

/** Confirms a subscription to a presence channel from encoded members (protocol.md 3.3). */
export function presenceSucceededFrom(channel: string, membersData: string): string {
  return onChannel('pusher_internal:subscription_succeeded', channel, membersData);
}

/** Refuses a subscription (protocol.md 2.4). */
export function subscriptionError(channel: string, type: string, error: string, status: number): string {
  return onChannel('pusher:subscription_error', channel, stringJson({ type, error, status }));
}

/** Tells the members of a channel that a user joined (protocol.md 3.3). */
export function memberAdded(channel: string, userId: string, userInfoJson: string | undefined): string {
  const userInfo = userInfoJson === undefined ? '' : `,"user_info":${userInfoJson}`;
  const data = `{"user_id":${JSON.stringify(userId)}${userInfo}}`;
  return onChannel('pusher_internal:member_added', channel, JSON.stringify(data));
}

/** Tells the members of a channel that a user left (protocol.md 3.3). */
export function memberRemoved(channel: string, userId: string): string {
  return onChannel('pusher_internal:member_removed', channel, stringJson({ user_id: userId }));
}

/** Tells the subscribers of a channel how many they are (protocol.md 3.5). */
export function subscriptionCount(channel: string, count: number): string {
  return onChannel('pusher_internal:subscription_count', channel, stringJson({ subscription_count: count }));
}

/** Tells a subscriber that a cache channel holds no event (protocol.md 3.4). */
export function cacheMiss(channel: string): string {
  return onChannel('pusher:cache_miss', channel, '"{}"');
}

/** Confirms a sign-in and returns the user data as it was sent (protocol.md 5). */
export function signinSuccess(userData: string): string {
  return `{"event":"pusher:signin_success","data":${stringJson({ user_data: userData })}}`;
}

/** Tells a watcher which users came online or went offline (protocol.md 5). */
export function watchlistEvents(events: readonly WatchlistEvent[]): string {
  const data = stringJson({ events: events.map(({ name, userIds }) => ({ name, user_ids: userIds })) });
  return `{"event":"pusher_internal:watchlist_events","data":${data}}`;
}

/**
 * Delivers a published event or a client event; only a client event on a presence channel has a user (protocol.md 6).
 * `encoded` spares the encoding of `data` if it is of that very text.
 */
export function channelEvent(
  event: string,
  channel: string,
  data: string,
  userId?: string,
  encoded?: EncodedData,
): string {
  const dataJson = encoded?.data === data ? encoded.json : JSON.stringify(data);
  const sender = userId === undefined ? '' : `,"user_id":${JSON.stringify(userId)}`;
  return `{"event":${JSON.stringify(event)},"channel":${JSON.stringify(channel)},"data":${dataJson}${sender}}`;
}

function onChannel(event: string, channel: string, dataStringJson: string): string {
  return `{"event":"${event}","channel":${JSON.stringify(channel)},"data":${dataStringJson}}`;
}

/** JSON inside a JSON string (protocol.md 0). */
function stringJson(value: object): string {
  return JSON.stringify(JSON.stringify(value));
}
