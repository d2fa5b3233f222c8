import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Config } from '../../config/schema.ts';

export type RedisSettings = NonNullable<Config['redis']>;

/** Replies keep the shapes of RESP2. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** How long a call may take; what takes longer may still run. */
export const callTimeoutMs = 2000;

const maxRetryMs = 1000;

/** Doubling, with jitter, so that nodes that lost Redis together do not return together. */
export function retryDelayMs(attempt: number): number {
  const delayMs = Math.min(maxRetryMs, 50 * 2 ** Math.min(attempt, 10));
  return delayMs * (0.5 + Math.random() / 2);
}

/**
 * Nothing waits while there is no connection, and nothing is sent twice: whoever called decides what to do again.
 * Subscriptions are restored by `Listening`, which knows when all of them are.
 */
const common = {
  lazyConnect: true,
  connectTimeout: 1000,
  disconnectTimeout: 500,
  commandTimeout: callTimeoutMs,
  keepAlive: 5000,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  maxLoadingRetryTime: 500,
  autoResubscribe: false,
  disableClientInfo: true,
} as const satisfies ConnectionOptions;

/** The connection for calls. `direct`: names of commands that never wait for a pipeline to fill or to end. */
export function connectCommands(settings: RedisSettings, direct: readonly string[]): Redis | Cluster {
  const pipelined = { enableAutoPipelining: true, autoPipeliningIgnoredCommands: [...direct] };
  if (!settings.cluster) return new Redis({ ...singleOptions(settings), ...pipelined });
  const { host, port } = placeOf(settings);
  return new Cluster([{ host, port }], {
    ...pipelined,
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    retryDelayOnFailover: 0,
    redisOptions: { ...common, ...accessOf(settings) },
  });
}

/** A connection for listening; on a Cluster to the node at that address. */
export function connectListening(settings: RedisSettings, commands: Redis | Cluster, node: string): Redis {
  const options = { retryStrategy: retryDelayMs, enableAutoPipelining: false };
  if (commands instanceof Redis) return new Redis({ ...singleOptions(settings), ...options });
  const [, host, port] = /^(.*):(\d+)$/.exec(node) ?? [];
  return new Redis({ ...common, ...accessOf(settings), host: host ?? node, port: Number(port), ...options });
}

/** What was tried, as it may be shown: without user and password. */
export function addressOf(settings: RedisSettings): string {
  if (settings.sentinels !== undefined) {
    return `${settings.sentinels.name} of sentinels ${settings.sentinels.nodes.join(', ')}`;
  }
  const { host, port } = placeOf(settings);
  return `${host}:${port}`;
}

/** Text of an error without the password, should a server repeat it. */
export function withoutSecrets(settings: RedisSettings, text: string): string {
  const { password } = accessOf(settings);
  return password === undefined ? text : text.replaceAll(password, '***');
}

export function sentinelsOf(settings: RedisSettings): readonly ConnectionOptions[] {
  const { tls } = accessOf(settings);
  return (settings.sentinels?.nodes ?? []).map((node) => {
    const [, host, port] = /^(.*):(\d+)$/.exec(node) ?? [];
    return {
      ...common,
      retryStrategy: retryDelayMs,
      host: host ?? node,
      port: Number(port),
      ...(tls === undefined ? {} : { tls }),
    };
  });
}

function singleOptions(settings: RedisSettings): ConnectionOptions {
  const { host, port, db } = placeOf(settings);
  const access = accessOf(settings);
  const always = { ...common, ...access, ...(db === undefined ? {} : { db }), retryStrategy: retryDelayMs };
  if (settings.sentinels === undefined) return { ...always, host, port };
  return {
    ...always,
    name: settings.sentinels.name,
    sentinels: sentinelsOf(settings).map((sentinel) => ({
      host: sentinel.host ?? '',
      port: sentinel.port ?? 0,
    })),
    sentinelRetryStrategy: retryDelayMs,
    sentinelCommandTimeout: 1000,
    ...(access.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: access.tls }),
  };
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly db?: number;
}

function placeOf(settings: RedisSettings): Place {
  const { hostname, port, pathname } = urlOf(settings);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const db = Number(pathname.slice(1));
  return {
    host: host === '' ? 'localhost' : host,
    port: port === '' ? 6379 : Number(port),
    ...(db > 0 ? { db } : {}),
  };
}

interface Access {
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Record<string, never>;
}

function accessOf(settings: RedisSettings): Access {
  const { protocol, username, password } = urlOf(settings);
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

function urlOf({ url }: RedisSettings): URL {
  return new URL(url ?? 'redis://localhost');
}
