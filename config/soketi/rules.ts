import { kibToBytes, mibToBytes, toCap, toNumber, toText } from './values.ts';

/** What becomes of one option: a setting of ours with a converted value, or nothing, and why. */
export type SoketiRule =
  | { readonly to: string; readonly convert?: (value: unknown) => unknown; readonly note?: string }
  | { readonly none: string };

/** Options of the server. A rule for `queue` also holds for everything below `queue`. */
export const serverRules: Readonly<Record<string, SoketiRule>> = {
  port: { to: 'server.port', convert: toNumber },
  host: { to: 'server.host' },
  pathPrefix: {
    to: 'server.path',
    convert: (value) => (typeof value === 'string' ? value.replace(/\/+$/, '') : value),
  },
  debug: { to: 'log.level', convert: (value) => (value === true || value === 1 ? 'debug' : 'info') },
  'ssl.certPath': { to: 'server.tls.certFile' },
  'ssl.keyPath': { to: 'server.tls.keyFile' },
  ssl: { none: 'only a certificate and an unencrypted key are read' },
  'metrics.port': { to: 'admin.port', convert: toNumber },
  'metrics.host': { to: 'admin.host', note: 'callers on other machines need admin.token' },
  metrics: { none: 'Prometheus metrics are always served by the admin listener' },
  'eventLimits.maxPayloadInKb': { to: 'http.maxEventBytes', convert: kibToBytes },
  eventLimits: { none: "Pusher's limits are built in" },
  'channelLimits.cacheTtl': { to: 'cache.ttlSeconds', convert: toNumber },
  channelLimits: { none: "Pusher's limits are built in" },
  'httpApi.requestLimitInMb': { to: 'http.maxBodyBytes', convert: mibToBytes },
  httpApi: { none: 'overload is answered by bounded queues' },
  'webhooks.batching.duration': { to: 'webhooks.batchWindowMs', convert: toNumber },
  shutdownGracePeriod: { none: 'a stop drains connections in waves, see drain' },
  adapter: { none: 'nodes share state through Redis only, see redis' },
  'appManager.cache': { none: 'apps are read once, at the start' },
  appManager: { none: 'apps are part of the configuration' },
  cache: { none: 'the cache is where the state is' },
  cors: {
    none: 'the HTTP API is called by servers, not by browsers; see apps[].allowedOrigins for connections',
  },
  database: { none: 'there is no SQL database' },
  databasePooling: { none: 'there is no SQL database' },
  instance: { none: 'nodes name themselves' },
  mode: { none: 'every node is a full node' },
  queue: { none: 'webhooks have an outbox of their own' },
  rateLimiter: { none: 'limits are built in' },
  cluster: { none: 'nodes find each other through Redis, see redis' },
};

/** Options of an app. */
export const appRules: Readonly<Record<string, SoketiRule>> = {
  id: { to: 'id', convert: toText },
  key: { to: 'key', convert: toText },
  secret: { to: 'secret', convert: toText },
  enabled: { to: 'enabled' },
  maxConnections: { to: 'maxConnections', convert: toCap },
  enableClientMessages: { to: 'clientEvents.enabled' },
  maxClientEventsPerSecond: { to: 'clientEvents.perSecond', convert: toCap },
  maxPresenceMembersPerChannel: { to: 'presence.maxMembers', convert: toCap },
  maxPresenceMemberSizeInKb: { to: 'presence.maxUserInfoBytes', convert: kibToBytes },
  maxBackendEventsPerSecond: { none: 'publishing has no rate limit' },
  maxReadRequestsPerSecond: { none: 'reading has no rate limit' },
  maxEventPayloadInKb: { none: 'the limit is the same for every app: http.maxEventBytes' },
  maxEventBatchSize: { none: "Pusher's limits are built in" },
  maxEventChannelsAtOnce: { none: "Pusher's limits are built in" },
  maxEventNameLength: { none: "Pusher's limits are built in" },
  maxChannelNameLength: { none: "Pusher's limits are built in" },
};

/** The rule of an option: its own, or the one of the nearest group around it. */
export function ruleFor(rules: Readonly<Record<string, SoketiRule>>, path: string): SoketiRule | undefined {
  for (let name = path; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    if (Object.hasOwn(rules, name)) return rules[name];
  }
  return undefined;
}
