import type { ErrorKind } from './kinds.ts';

/**
 * Every error that leaves the process, once: to a client as a frame, to a publisher as an HTTP body, to an operator as
 * a log line. `docs/errors.md` is compared with this table by a spec.
 *
 * - `kind` decides log level, metric and action (`errorKinds`).
 * - `closes`: the WebSocket close code when the error ends the connection (protocol.md 1.4). Never 43xx.
 * - `pusherCode`: the `code` inside `pusher:error` when the connection stays open; absent means null.
 * - `status`: the HTTP status, and the `status` of a `pusher:subscription_error`.
 * - `message`: what was wrong and what to do; `{name}` is filled from the error's details.
 */
export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly status: number;
  readonly closes?: number;
  readonly pusherCode?: number;
}

const client = (
  status: number,
  message: string,
  extra: { closes?: number; pusherCode?: number } = {},
): ErrorEntry => ({
  kind: 'client',
  status,
  message,
  ...extra,
});

export const catalogue = {
  // Connection: answered with pusher:error, then closed (protocol.md 1.4).
  'connection.tls-required': client(400, 'App {key} accepts TLS connections only: use wss', { closes: 4000 }),
  'connection.unknown-app': client(
    404,
    'App key {key} not in this cluster. Did you forget to specify the cluster?',
    { closes: 4001 },
  ),
  'connection.app-disabled': client(403, 'App {key} is disabled', { closes: 4003 }),
  'connection.over-quota': {
    kind: 'overload',
    status: 403,
    message: 'Account over quota: app {appId} is at its maximum of {limit} connections',
    closes: 4004,
  },
  'connection.path-not-found': client(404, 'Path not found: connect to /app/YOUR_KEY', { closes: 4005 }),
  'connection.unsupported-protocol': client(
    400,
    'Unsupported protocol version {protocol}: this server speaks 4 to 7',
    { closes: 4007 },
  ),
  'connection.origin-not-allowed': client(403, 'Origin {origin} is not allowed for this app', {
    closes: 4009,
  }),
  'connection.unauthorised': client(401, 'Connection not authorized within timeout', { closes: 4009 }),
  'connection.terminated': client(403, 'The application ended the connections of this user', {
    closes: 4009,
  }),
  'connection.slow': {
    kind: 'overload',
    status: 503,
    message: 'Connection reads too slowly: more than {limitBytes} bytes were waiting for it',
    closes: 4100,
  },
  'connection.refused-by-stage': client(403, 'Connection refused: {reason}', { closes: 4009 }),
  'connection.draining': {
    kind: 'overload',
    status: 503,
    message: 'Server is restarting: reconnect now',
    closes: 4200,
  },
  'connection.pong-timeout': client(408, 'Pong reply not received in time', { closes: 4201 }),

  // Frames: answered with pusher:error, the connection stays open.
  'message.binary': client(400, 'Binary frames are not supported: send text frames with JSON'),
  'message.malformed': client(400, 'Message is not a JSON object with a string "event"'),
  'message.invalid-field': client(400, 'Invalid {event}: {field} must be {expected}'),
  'message.unknown-event': client(400, 'Unsupported event received on socket: {event}'),

  // Subscriptions: answered with pusher:subscription_error and pusher:error.
  'subscription.invalid-channel': client(
    400,
    'Invalid channel name {channel}: use 1 to {maxLength} characters of A-Z a-z 0-9 _ - = @ , . ;',
  ),
  'subscription.duplicate': client(409, 'Existing subscription to channel {channel}'),
  'subscription.unknown': client(
    404,
    'No current subscription to channel {channel}, or subscription in progress',
  ),
  'subscription.auth-missing': client(401, 'Auth info required to subscribe to {channel}'),
  'subscription.auth-key': client(401, "Invalid key in subscription auth data: '{key}'"),
  'subscription.auth-signature': client(
    401,
    'Invalid signature: expected HMAC SHA256 hex digest of {signed}',
  ),
  'subscription.channel-data': client(
    400,
    'channel_data supplied to presence subscription of {channel} is invalid: {problem}',
  ),
  'subscription.user-info': client(400, 'user_info supplied to presence subscription is invalid: {problem}'),
  'subscription.members-full': client(403, 'Channel {channel} is full: at most {limit} members'),
  'subscription.not-signed-in': client(
    403,
    'Channel {channel} is only for the signed-in user it names: sign in first',
  ),
  'subscription.too-many': client(
    403,
    'This connection already holds {limit} subscriptions: unsubscribe from some first',
  ),
  'subscription.failed': {
    kind: 'transient',
    status: 500,
    message: 'Subscription to {channel} failed on the server: try again',
  },

  // Sign-in: answered with pusher:error, the connection stays open.
  'signin.auth-key': client(401, "Invalid key in sign-in auth data: '{key}'", { pusherCode: 4009 }),
  'signin.auth-signature': client(401, 'Invalid signature: expected HMAC SHA256 hex digest of {signed}', {
    pusherCode: 4009,
  }),
  'signin.user-data': client(400, 'user_data supplied to sign-in is invalid: {problem}', {
    pusherCode: 4009,
  }),
  'signin.other-user': client(409, 'This connection is already signed in as another user'),
  'signin.watchlist-limit': client(
    400,
    'Watchlist is limited to {limit} users: the first {limit} were kept',
    { pusherCode: 4302 },
  ),

  // Client events: answered with pusher:error, the connection stays open.
  'client-event.disabled': client(
    403,
    'To send client events, you must enable this feature: set clientEvents.enabled for this app',
  ),
  'client-event.fields': client(400, 'Invalid client event (must contain channel and data)'),
  'client-event.channel-kind': client(
    403,
    'Client events are only for private and presence channels, not {channel}',
  ),
  'client-event.not-subscribed': client(
    403,
    'Client event rejected: this connection is not subscribed to {channel}',
  ),
  'client-event.name-length': client(400, 'Client event name is longer than {limit} characters'),
  'client-event.too-large': client(
    413,
    'The data content of this client event exceeds the allowed maximum ({limitBytes} bytes)',
  ),
  'client-event.rate': {
    kind: 'overload',
    status: 429,
    message: 'Client event rejected: more than {limit} messages per second on this connection',
    pusherCode: 4301,
  },

  // HTTP API: the body of the answer.
  'http.not-found': client(404, 'Path not found: {path}'),
  'http.method': client(405, 'Method {method} is not allowed here'),
  'http.unknown-app': client(404, 'App {appId} does not exist'),
  'http.app-disabled': client(403, 'App {appId} is disabled'),
  'http.body-too-large': client(413, 'The request body exceeds the allowed maximum ({limitBytes} bytes)'),
  'http.duplicate-parameter': client(400, 'Parameter {parameter} is given twice'),
  'http.malformed-query': client(400, 'The query string is not valid percent-encoded UTF-8'),
  'http.auth-key-missing': client(401, 'Missing parameter: auth_key'),
  'http.auth-key-unknown': client(401, 'Unknown auth_key'),
  'http.auth-version-missing': client(401, 'Version required'),
  'http.auth-version': client(401, 'Version not supported'),
  'http.auth-timestamp-missing': client(401, 'Timestamp required'),
  'http.auth-timestamp-expired': client(
    401,
    'Timestamp expired: Given timestamp ({given}) not within 600s of server time ({now})',
  ),
  'http.auth-signature': client(
    401,
    'Invalid signature: you should have sent HmacSHA256Hex({signed}, your_secret_key)',
  ),
  'http.body-md5': client(401, 'body_md5 must be given with a body and must be the MD5 of it'),
  'http.malformed-json': client(400, 'The request body must be a JSON object'),
  'http.missing-parameter': client(400, 'Missing required parameter: {parameter}'),
  'http.invalid-parameter': client(400, 'Expected {parameter} parameter to be {expected}'),
  'http.batch-too-large': client(400, 'Batch too large ({given} > {limit})'),
  'http.too-many-channels': client(400, 'Too many channels ({given} > {limit})'),
  'http.data-too-large': client(
    413,
    'The data content of this event exceeds the allowed maximum ({limitBytes} bytes)',
  ),
  'http.reserved-event': client(
    400,
    'Event names that start with pusher: or pusher_internal: are reserved, {name} cannot be published',
  ),
  'http.user-count-prefix': client(
    400,
    'user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-',
  ),
  'http.user-count-kind': client(
    400,
    'Cannot retrieve the user count unless the channel is a presence channel',
  ),
  'http.subscription-count-off': client(
    400,
    'Cannot retrieve the subscription count unless it is enabled: set subscriptionCount for this app',
  ),
  'http.cache-kind': client(400, 'Cannot retrieve the cache unless the channel is a cache channel'),
  'http.users-kind': client(400, 'Users can only be retrieved for presence channels'),
  'http.overloaded': {
    kind: 'overload',
    status: 503,
    message: 'Too many events are waiting: try again in a second',
  },

  // The stream of lifecycle events: the body of the answer.
  'lifecycle.gone': client(
    410,
    'What followed this position is not kept any more: take a snapshot again and go on from its position',
  ),
  'lifecycle.off': client(
    409,
    'Lifecycle events of app {appId} are not kept: configure a webhook endpoint for the app',
  ),

  // Admin listener: the body of the answer.
  'admin.token': client(401, 'Send the header Authorization: Bearer with the value of admin.token'),
  'admin.loopback-only': client(
    403,
    'Only callers on this machine may see this: set admin.token to open it to others',
  ),
  'admin.read-only': client(
    403,
    'Without a token this listener shows and changes nothing: set admin.token, and send it',
  ),
  'admin.unknown-parameter': client(400, 'Unknown parameter {parameter}: known here are {known}'),
  'admin.no-endpoint': client(404, 'App {appId} has no webhook endpoint on this server'),
  'admin.unknown-endpoint': client(404, 'App {appId} has no webhook endpoint {endpointId}: it has {known}'),
  'admin.unknown-event': client(404, 'No event {id} of app {appId} is kept'),

  // Inside: seen by operators.
  'stage.failed': {
    kind: 'transient',
    status: 500,
    message: 'Stage {stage} failed: its item went no further',
  },
  'stage.timeout': {
    kind: 'transient',
    status: 504,
    message: 'Stage {stage} did not answer within {timeoutMs} ms: its item went no further',
  },
  'webhook.changed': {
    kind: 'transient',
    status: 500,
    message:
      'Stage {stage} {mistake}: it may change and add payload fields, never name, channel, id, seq, prev_seq, epoch, nor the number and order of events',
  },
  'stage.invalid': { kind: 'fatal', status: 500, message: 'Stage {stage} cannot be used: {problem}' },
  'outbox.spool-unreadable': {
    kind: 'fatal',
    status: 500,
    message:
      'The file in webhooks.spoolFile cannot be used: line {line}: {problem}. Mend it, or move it away and give up the undelivered webhooks in it',
  },
  'cluster.partitions': {
    kind: 'fatal',
    status: 500,
    message:
      'Redis has the state of this deployment in {stored} partitions, and this node is configured for {configured}: set cluster.partitions to {stored}, or give this deployment another redis.keyPrefix',
  },
  'redis.away': {
    kind: 'transient',
    status: 503,
    message: 'Redis cannot be used at the moment ({reason}): try again',
  },
  'redis.unreachable': {
    kind: 'fatal',
    status: 500,
    message:
      'Redis at {address} could not be used within {seconds} s: {reason}. Start it, or correct the redis settings',
  },
  'redis.unsuitable': {
    kind: 'fatal',
    status: 500,
    message: 'Redis at {address} cannot be used: {problem}',
  },
  internal: { kind: 'transient', status: 500, message: 'Internal error: try again' },
  'config.invalid': { kind: 'fatal', status: 500, message: '{problems}' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof catalogue;
