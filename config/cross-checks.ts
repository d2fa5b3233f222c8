import { developmentSecret } from './development-app.ts';
import { isLoopback } from './loopback.ts';
import type { Problem } from './problems.ts';
import { isRawObject, type RawObject, valueAt } from './raw.ts';
import { settingAt, type SettingPath } from './settings.ts';

/** Mistakes that only show when several settings are seen together. Wrong types are skipped: the schema reports them. */
export function crossCheck(raw: RawObject, options: { readonly isDevelopment: boolean }): readonly Problem[] {
  const apps = listAt(raw, ['apps']);
  return [
    ...duplicates(
      apps.map(({ path, value }) => ({ path: [...path, 'id'], value: value['id'] })),
      'this app id is used twice',
    ),
    ...duplicates(apps.flatMap(keysOf), 'this key is used twice: each key belongs to one app'),
    ...apps.flatMap(({ path }) => webhookProblems(raw, path)),
    ...clusterProblems(raw),
    ...redisProblems(raw),
    ...leaseProblems(raw),
    ...workerProblems(raw),
    ...(options.isDevelopment ? [] : developmentSecretProblems(raw, apps)),
  ];
}

interface Entry {
  readonly path: SettingPath;
  readonly value: RawObject;
}

interface Candidate {
  readonly path: SettingPath;
  readonly value: unknown;
}

function listAt(raw: RawObject, path: SettingPath): readonly Entry[] {
  const list = valueAt(raw, path);
  if (!Array.isArray(list)) return [];
  return list.flatMap((value: unknown, index) =>
    isRawObject(value) ? [{ path: [...path, index], value }] : [],
  );
}

function duplicates(candidates: readonly Candidate[], text: string): readonly Problem[] {
  const seen = new Set<string>();
  return candidates.flatMap(({ path, value }) => {
    if (typeof value !== 'string') return [];
    if (seen.has(value)) return [{ path, text }];
    seen.add(value);
    return [];
  });
}

function keysOf({ path, value }: Entry): readonly Candidate[] {
  const extra = listAt(value, ['extraKeys']).map((pair) => ({
    path: [...path, ...pair.path, 'key'],
    value: pair.value['key'],
  }));
  return [{ path: [...path, 'key'], value: value['key'] }, ...extra];
}

function webhookProblems(raw: RawObject, app: SettingPath): readonly Problem[] {
  const webhooks = listAt(raw, [...app, 'webhooks']);
  const ids = webhooks.map(({ path, value }) => ({ path: [...path, 'id'], value: value['id'] }));
  const urls = webhooks
    .filter(({ value }) => value['id'] === undefined)
    .map(({ path, value }) => ({ path: [...path, 'url'], value: value['url'] }));
  return [
    ...duplicates(ids, 'this webhook id is used twice in one app'),
    ...duplicates(urls, 'this url is used twice in one app: give each of these webhooks an id'),
  ];
}

function clusterProblems(raw: RawObject): readonly Problem[] {
  const leaseMs = settingOf(raw, ['cluster', 'leaseMs']);
  const renewMs = settingOf(raw, ['cluster', 'renewMs']);
  if (typeof leaseMs !== 'number' || typeof renewMs !== 'number' || renewMs * 2 <= leaseMs) return [];
  return [
    {
      path: ['cluster', 'renewMs'],
      text: `expected at most half of cluster.leaseMs (${leaseMs}), got ${renewMs}`,
    },
  ];
}

/** A node begins a request to an endpoint only while its lease outlasts the answer, and a second more. */
function leaseProblems(raw: RawObject): readonly Problem[] {
  const leaseMs = settingOf(raw, ['cluster', 'leaseMs']);
  const renewMs = settingOf(raw, ['cluster', 'renewMs']);
  const timeoutMs = settingOf(raw, ['webhooks', 'timeoutMs']);
  if (raw['redis'] === undefined) return [];
  if (typeof leaseMs !== 'number' || typeof renewMs !== 'number' || typeof timeoutMs !== 'number') return [];
  const leastMs = renewMs + timeoutMs + 1000;
  if (leaseMs >= leastMs) return [];
  return [
    {
      path: ['cluster', 'leaseMs'],
      text: `expected at least cluster.renewMs + webhooks.timeoutMs + 1000 (${leastMs}), got ${leaseMs}: webhooks are sent only while the lease outlasts their answer`,
    },
  ];
}

function redisProblems(raw: RawObject): readonly Problem[] {
  const redis = raw['redis'];
  if (!isRawObject(redis)) return [];
  if (redis['url'] === undefined && redis['sentinels'] === undefined) {
    return [
      {
        path: ['redis', 'url'],
        text: 'expected a redis:// or rediss:// URL, or redis.sentinels, got nothing',
      },
    ];
  }
  return redis['cluster'] === true && redis['sentinels'] !== undefined
    ? [{ path: ['redis', 'sentinels'], text: 'cannot be combined with redis.cluster' }]
    : [];
}

/** Workers are nodes: what they share has to be somewhere. `"auto"` may mean one, but is no promise of it. */
function workerProblems(raw: RawObject): readonly Problem[] {
  const workers = settingOf(raw, ['server', 'workers']);
  const count = typeof workers === 'string' || typeof workers === 'number' ? Number(workers) : 0;
  const areSeveral = workers === 'auto' || count > 1;
  if (!areSeveral || raw['redis'] !== undefined) return [];
  return [
    {
      path: ['server', 'workers'],
      text: 'several workers need redis.url: each is a node of its own, and what they share is kept in Redis',
    },
  ];
}

function developmentSecretProblems(raw: RawObject, apps: readonly Entry[]): readonly Problem[] {
  const host = settingOf(raw, ['server', 'host']);
  if (typeof host !== 'string' || isLoopback(host)) return [];
  return apps
    .filter(({ value }) => value['secret'] === developmentSecret)
    .map(({ path }) => ({
      path: [...path, 'secret'],
      text: 'the development secret is public, so it is refused on an address that others can reach: configure an app with a secret of your own, listen on 127.0.0.1, or set SPILLWAY_DEV=1',
    }));
}

/** The value given, or the default. */
function settingOf(raw: RawObject, path: SettingPath): unknown {
  return valueAt(raw, path) ?? settingAt(path)?.node.default;
}
