import { isRawObject, type RawObject } from '../raw.ts';
import type { SoketiOptions } from './options.ts';
import type { Translator } from './translator.ts';

const group = 'database.redis.';
const becomes: Readonly<Record<string, string>> = {
  host: 'redis.url',
  port: 'redis.url',
  db: 'redis.url',
  username: 'redis.url',
  password: 'redis.url',
  keyPrefix: 'redis.keyPrefix',
  sentinels: 'redis.sentinels.nodes',
  name: 'redis.sentinels.name',
  clusterNodes: 'redis.url',
};
const adapterOptions: Readonly<Record<string, string>> = {
  'adapter.driver': 'redis',
  'adapter.redis.clusterMode': 'redis.cluster',
  'adapter.redis.prefix': 'redis.keyPrefix',
};

/** Whether the option is one that `translateRedis` takes. */
export function isRedisOption(path: string): boolean {
  return path.startsWith(group) || Object.hasOwn(adapterOptions, path);
}

/** soketi keeps host, port, user and password apart; we have one URL. They count only when its adapter uses Redis. */
export function translateRedis({ options }: SoketiOptions, translator: Translator): RawObject | undefined {
  const isUsed = options.get('adapter.driver')?.value === 'redis';
  report(options, translator, isUsed);
  if (!isUsed) return undefined;
  const read = (name: string) => options.get(group + name)?.value;
  const prefix = options.get('adapter.redis.prefix')?.value ?? read('keyPrefix');
  const sentinels = read('sentinels');
  return {
    url: urlOf(read),
    ...(options.get('adapter.redis.clusterMode')?.value === true && { cluster: true }),
    ...(prefix !== undefined && { keyPrefix: prefix }),
    ...(Array.isArray(sentinels) && {
      sentinels: { name: read('name') ?? 'mymaster', nodes: sentinels.map(nodeText) },
    }),
  };
}

function report(options: SoketiOptions['options'], translator: Translator, isUsed: boolean): void {
  for (const [path, { from }] of options) {
    if (!isRedisOption(path)) continue;
    const to = path.startsWith(group) ? becomes[path.slice(group.length)] : adapterOptions[path];
    if (!isUsed) translator.hasNone(from, reasonNotUsed(path));
    else if (to === undefined) translator.hasNone(from);
    else translator.became(from, to);
  }
}

function reasonNotUsed(path: string): string {
  return path === 'adapter.driver'
    ? 'nodes share state through Redis only; without redis, one node keeps it in memory'
    : 'soketi does not share state through Redis unless adapter.driver is "redis"';
}

function urlOf(read: (name: string) => unknown): string {
  const [firstNode] = Array.isArray(read('clusterNodes')) ? (read('clusterNodes') as unknown[]) : [];
  const host =
    firstNode === undefined
      ? `${text(read('host') ?? '127.0.0.1')}:${text(read('port') ?? 6379)}`
      : nodeText(firstNode);
  const user = encodeURIComponent(text(read('username') ?? ''));
  const password = read('password');
  const credentials = password === undefined ? '' : `${user}:${encodeURIComponent(text(password))}@`;
  const db = text(read('db') ?? 0);
  return `redis://${credentials}${host}${db === '0' ? '' : `/${db}`}`;
}

function nodeText(node: unknown): string {
  return isRawObject(node) ? `${text(node['host'])}:${text(node['port'] ?? 6379)}` : text(node);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
