import type { Topic } from '../../redis/store-link.ts';
import type { BusMessage, EventMessage, TerminateMessage } from '../bus.ts';

/**
 * A message between nodes: a letter for its kind, who sent it, and its content as JSON. A sender's own message is known by
 * its head alone. With `~` and a number behind the name it is one of those by which the sender measures the way.
 */
export interface SentText {
  readonly sender: string;
  readonly sentAtMs: number | undefined;
  readonly json: string;
}

/** `kind`: `e` an event, `t` a user's connections are to be ended. */
export function writeHead(kind: 'e' | 't', sender: string, sentAtMs?: number): string {
  return sentAtMs === undefined ? `${kind}${sender}` : `${kind}${sender}~${sentAtMs.toFixed(1)}`;
}

export function readHead(text: string): SentText | undefined {
  const end = text.indexOf('{');
  if (end < 0) return undefined;
  const [sender = '', sentAt] = text.slice(1, end).split('~');
  return {
    sender,
    sentAtMs: sentAt === undefined ? undefined : Number(sentAt),
    json: text.slice(end),
  };
}

/** App and channel are the topic's. */
export function writeEvent({ event, data, userId, exceptSocketId, fromClient }: EventMessage): string {
  return JSON.stringify({ e: event, d: data, u: userId, x: exceptSocketId, f: fromClient });
}

export function readEvent(json: string, appId: string, channel: string): EventMessage | undefined {
  const { e: event, d: data, u: userId, x: exceptSocketId, f: fromClient } = fieldsOf(json);
  if (typeof event !== 'string' || typeof data !== 'string') return undefined;
  if (!isTextOrNone(userId) || !isTextOrNone(exceptSocketId)) return undefined;
  return {
    ...{ kind: 'event', appId, channel, event, data },
    ...(userId === undefined ? {} : { userId }),
    ...(exceptSocketId === undefined ? {} : { exceptSocketId }),
    ...(fromClient === true ? { fromClient } : {}),
  };
}

export function writeTerminate({ appId, userId }: TerminateMessage): string {
  return JSON.stringify({ a: appId, u: userId });
}

export function readTerminate(json: string): BusMessage | undefined {
  const { a: appId, u: userId } = fieldsOf(json);
  return typeof appId === 'string' && typeof userId === 'string'
    ? { kind: 'terminate', appId, userId }
    : undefined;
}

/** What a script says of a user: `{a: app, u: user, o: 1 or 0, v: version}`. */
export function readUser(json: string): BusMessage | undefined {
  const { a: appId, u: userId, o: online, v: version } = fieldsOf(json);
  if (typeof appId !== 'string' || typeof userId !== 'string' || typeof version !== 'number')
    return undefined;
  return online === 1 || online === 0
    ? { kind: 'user', appId, userId, online: online === 1, version }
    : undefined;
}

export function channelTopic(appId: string, channel: string, partition: number): Topic {
  return { partition, name: `c:${appId}:${channel}` };
}

/** The app and the channel of such a topic: neither holds a colon. */
export function channelOf(topic: string): readonly [appId: string, channel: string] | undefined {
  const end = topic.indexOf(':', 2);
  return topic.startsWith('c:') && end > 0 ? [topic.slice(2, end), topic.slice(end + 1)] : undefined;
}

function fieldsOf(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
