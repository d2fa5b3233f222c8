import { z } from 'zod';

const lifecycleEvents = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'] as const;
const webhookEvents = [...lifecycleEvents, 'client_event', 'cache_miss', 'subscription_count'] as const;

const identifier = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_.~-]+$/);
const identifierText = '1 to 200 characters of A-Z a-z 0-9 _ . ~ -';
const secret = z.string().min(1).max(1000);

const appId = identifier.meta({
  description: 'Names the app in HTTP API paths and logs.',
  expects: identifierText,
});
const appKey = identifier.meta({
  description: 'Public key that clients connect with.',
  expects: identifierText,
});
const appSecret = secret.meta({
  description: 'Signs channel authorisations, HTTP API requests and webhooks. Keep it private.',
  writeOnly: true,
});

const extraKeySchema = z.strictObject({ key: appKey, secret: appSecret });

const clientEventsSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Allow client events (`client-…`) on private and presence channels.'),
    perSecond: z
      .int()
      .min(0)
      .default(10)
      .describe('Client events per second for each connection; 0 means no limit.'),
  })
  .prefault({})
  .describe('Events that clients send to each other.');

const presenceSchema = z
  .strictObject({
    maxMembers: z.int().min(0).default(100).describe('Members of one presence channel; 0 means no limit.'),
    maxUserInfoBytes: z
      .int()
      .min(2)
      .default(1024)
      .describe('Largest `user_info` of a member, in bytes of JSON.'),
  })
  .prefault({})
  .describe('Limits of presence channels.');

const webhookChannelsSchema = z
  .strictObject({
    startsWith: z.string().default('').describe('Only channels whose name starts with this.'),
    endsWith: z.string().default('').describe('Only channels whose name ends with this.'),
  })
  .prefault({})
  .describe('Which channels this endpoint hears about.');

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/);
const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/);

const webhookSchema = z.strictObject({
  id: identifier.optional().meta({
    description: 'Stable name of the endpoint; default: a hash of app and url.',
    expects: identifierText,
  }),
  url: z
    .url({ protocol: /^https?$/ })
    .meta({ description: 'Where events are posted to.', expects: 'an http or https URL', writeOnly: true }),
  events: z
    .array(z.enum(webhookEvents))
    .min(1)
    .default([...lifecycleEvents])
    .describe('Kinds of events to send.'),
  channels: webhookChannelsSchema,
  headers: z.record(headerName, headerValue).default({}).meta({
    description: 'Extra request headers.',
    expects: 'an object of header names and values',
    writeOnly: true,
  }),
  batching: z.boolean().default(true).describe('Send several events in one request.'),
  signingSecret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/)
    .optional()
    .meta({
      description: 'Standard Webhooks secret; default: `whsec_` + base64 of the app secret.',
      expects: 'whsec_ followed by base64',
      writeOnly: true,
    }),
});

/** `*`, an origin, or an origin or host with `*` in place of a whole label. */
const originPattern =
  /^(?:\*|(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\[[0-9a-f:]+\]|(?:\*|[a-z0-9_-]+)(?:\.(?:\*|[a-z0-9_-]+))*)(?::(?:\d+|\*))?)$/i;

/** One app: a tenant with its own keys, limits and webhooks. */
export const appSchema = z.strictObject({
  id: appId,
  key: appKey,
  secret: appSecret,
  name: z.string().max(200).optional().describe('A label for people; shown in logs and in the console.'),
  enabled: z.boolean().default(true).describe('Off: connections and HTTP API requests are refused.'),
  maxConnections: z.int().min(0).default(0).describe('Connections of this app at a time; 0 means no limit.'),
  extraKeys: z
    .array(extraKeySchema)
    .default([])
    .describe('Further active key pairs, for rotation. Webhooks sign with the first pair.'),
  clientEvents: clientEventsSchema,
  presence: presenceSchema,
  subscriptionCount: z
    .boolean()
    .default(false)
    .describe('Send `pusher_internal:subscription_count` and answer `subscription_count` over HTTP.'),
  watchlist: z
    .boolean()
    .default(false)
    .describe('Send online and offline events of the users on a watchlist.'),
  requireAuthWithinSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('Close connections that did not authorise within this time; 0 means off.'),
  allowedOrigins: z
    .array(
      z.string().max(500).regex(originPattern).meta({
        expects:
          '"*", or an origin or host in which * may stand for a whole label, such as https://*.example.com',
      }),
    )
    .min(1)
    .default(['*'])
    .describe(
      'Origins that browsers may connect from: `*` for any, an origin (`https://example.com`), a host (`example.com`), ' +
        'or one with `*` in place of a label (`https://*.example.com`).',
    ),
  tlsOnly: z.boolean().default(false).describe('Refuse connections that are not encrypted.'),
  webhooks: z.array(webhookSchema).default([]).describe('Endpoints that are told about events of this app.'),
});
