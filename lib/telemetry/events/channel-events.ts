import type { EventEntry } from '../event-entry.ts';

/** Subscriptions, channels, members and users. */
export const channelEvents = {
  'subscription.opened': {
    level: 'debug',
    doc: 'A connection subscribed to a channel.',
    fields: { appId: 'string', socketId: 'string', channel: 'string' },
  },
  'subscription.closed': {
    level: 'debug',
    doc: 'A connection left a channel, by asking or by ending.',
    fields: { appId: 'string', socketId: 'string', channel: 'string' },
  },
  'subscription.refused': {
    level: 'of-error',
    doc: 'A connection asked for a channel and was refused; the connection stays open.',
    limited: true,
    fields: { appId: 'string', socketId: 'string', channel: 'string', code: 'code' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_subscriptions_refused_total',
        help: 'Subscriptions refused, by error code',
        labels: ['code'],
      },
    ],
  },
  'channel.occupied': {
    level: 'info',
    doc: 'The first subscriber came to a channel.',
    fields: { appId: 'string', channel: 'string' },
    metrics: [
      { kind: 'counter', name: 'spillway_channels_occupied_total', help: 'Channels that became occupied' },
    ],
  },
  'channel.vacated': {
    level: 'info',
    doc: 'The last subscriber left a channel.',
    fields: { appId: 'string', channel: 'string' },
    metrics: [
      { kind: 'counter', name: 'spillway_channels_vacated_total', help: 'Channels that became vacant' },
    ],
  },
  'member.added': {
    level: 'debug',
    doc: 'A user joined a presence channel with a first connection.',
    fields: { appId: 'string', channel: 'string', userId: 'string' },
  },
  'member.removed': {
    level: 'debug',
    doc: 'The last connection of a user left a presence channel.',
    fields: { appId: 'string', channel: 'string', userId: 'string' },
  },
  'user.signed-in': {
    level: 'info',
    doc: 'A connection signed in as a user.',
    fields: { appId: 'string', socketId: 'string', userId: 'string' },
    metrics: [
      { kind: 'counter', name: 'spillway_sign_ins_total', help: 'Connections that signed in as a user' },
    ],
  },
  'user.signed-out': {
    level: 'info',
    doc: 'A connection that had signed in ended.',
    fields: { appId: 'string', socketId: 'string', userId: 'string' },
  },
} as const satisfies Record<string, EventEntry>;
