import { afterAll, describe, expect, it } from '@jest/globals';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { ConfigFiles, load, ownApp, problemsOf } from './config-files.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

const appEnvironment = {
  SOKETI_DEFAULT_APP_ID: '17',
  SOKETI_DEFAULT_APP_KEY: 'the-key',
  SOKETI_DEFAULT_APP_SECRET: 'the-secret',
};

function translationOf({ translations }: LoadedConfig, from: string) {
  return translations.find((translation) => translation.from === from);
}

describe("soketi's environment", () => {
  it('becomes settings of ours', () => {
    const { config } = load(
      {},
      {
        ...appEnvironment,
        SOKETI_HOST: '127.0.0.1',
        SOKETI_PORT: '7000',
        SOKETI_PATH_PREFIX: '/ws/',
        SOKETI_DEBUG: '1',
        SOKETI_SSL_CERT: '/cert',
        SOKETI_SSL_KEY: '/key',
        SOKETI_METRICS_SERVER_PORT: '9700',
        SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: 'true',
        SOKETI_DEFAULT_APP_MAX_CONNECTIONS: '-1',
        SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC: '50',
        SOKETI_DEFAULT_APP_USER_AUTHENTICATION: 'true',
        SOKETI_USER_AUTHENTICATION_TIMEOUT: '5500',
        SOKETI_DEFAULT_APP_WEBHOOKS:
          '[{"url":"https://x/y","event_types":["member_added"],"filter":{"channel_name_starts_with":"a-"},"headers":{"A":"b"}}]',
        SOKETI_WEBHOOKS_BATCHING: 'false',
        SOKETI_PRESENCE_MAX_MEMBERS: '7',
        SOKETI_PRESENCE_MAX_MEMBER_SIZE: '2',
        SOKETI_EVENT_MAX_SIZE_IN_KB: '100',
        SOKETI_CHANNEL_CACHE_TTL: '60',
        SOKETI_HTTP_MAX_REQUEST_SIZE: '2',
      },
    );
    expect(config).toMatchObject({
      server: { host: '127.0.0.1', port: 7000, path: '/ws', tls: { certFile: '/cert', keyFile: '/key' } },
      admin: { port: 9700 },
      log: { level: 'debug' },
      http: { maxEventBytes: 102_400, maxBodyBytes: 2_097_152 },
      cache: { ttlSeconds: 60 },
      apps: [
        {
          id: '17',
          key: 'the-key',
          secret: 'the-secret',
          clientEvents: { enabled: true, perSecond: 50 },
          maxConnections: 0,
          presence: { maxMembers: 7, maxUserInfoBytes: 2048 },
          requireAuthWithinSeconds: 6,
          webhooks: [
            {
              url: 'https://x/y',
              events: ['member_added'],
              channels: { startsWith: 'a-', endsWith: '' },
              headers: { A: 'b' },
              batching: false,
            },
          ],
        },
      ],
    });
  });

  it('turns the parts of its Redis settings into one URL, when its adapter uses Redis', () => {
    const env = {
      ...appEnvironment,
      SOKETI_ADAPTER_DRIVER: 'redis',
      SOKETI_DB_REDIS_HOST: 'redis.local',
      SOKETI_DB_REDIS_PORT: '6380',
      SOKETI_DB_REDIS_DB: '2',
      SOKETI_DB_REDIS_USERNAME: 'me',
      SOKETI_DB_REDIS_PASSWORD: 'p@ss',
      SOKETI_DB_REDIS_KEY_PREFIX: 'x:',
    };
    expect(load({}, env).config.redis).toMatchObject({
      url: 'redis://me:p%40ss@redis.local:6380/2',
      keyPrefix: 'x:',
    });
    const local = load({}, { ...env, SOKETI_ADAPTER_DRIVER: 'local' });
    expect(local.config.redis).toBeUndefined();
    expect(translationOf(local, 'SOKETI_DB_REDIS_HOST')?.to).toBeUndefined();
  });

  it('says what each variable became, and which have no counterpart', () => {
    const loaded = load(
      {},
      { ...appEnvironment, SOKETI_PORT: '7000', SOKETI_QUEUE_DRIVER: 'sqs', SOKETI_BANANA: '1' },
    );
    expect(translationOf(loaded, 'SOKETI_PORT')).toEqual({ from: 'SOKETI_PORT', to: 'server.port' });
    expect(translationOf(loaded, 'SOKETI_DEFAULT_APP_SECRET')?.to).toBe('apps[0].secret');
    expect(translationOf(loaded, 'SOKETI_QUEUE_DRIVER')).toEqual({
      from: 'SOKETI_QUEUE_DRIVER',
      note: 'webhooks have an outbox of their own',
    });
    expect(translationOf(loaded, 'SOKETI_BANANA')).toEqual({ from: 'SOKETI_BANANA' });
    expect(loaded.warnings).toEqual([
      { code: 'config.soketi', message: expect.stringContaining('SOKETI_QUEUE_DRIVER, SOKETI_BANANA') },
    ]);
  });

  it('does not claim to have set limits of apps that it does not name', () => {
    const loaded = load({ apps: [ownApp] }, { SOKETI_PRESENCE_MAX_MEMBERS: '7' });
    expect(loaded.config.apps[0]?.presence.maxMembers).toBe(100);
    expect(translationOf(loaded, 'SOKETI_PRESENCE_MAX_MEMBERS')?.to).toBeUndefined();
  });

  it('listens on every interface unless a host is given, as soketi does', () => {
    expect(load({}, appEnvironment).config.server.host).toBe('0.0.0.0');
    expect(load({ server: { host: '127.0.0.1' } }, appEnvironment).config.server.host).toBe('127.0.0.1');
    expect(load({}, { ...appEnvironment, SPILLWAY_SERVER_HOST: '::1' }).config.server.host).toBe('::1');
    const file = files.write({ server: { host: '127.0.0.1' } });
    expect(loadConfig({ file, env: appEnvironment }).config.server.host).toBe('127.0.0.1');
  });

  it("completes credentials with soketi's own, which are refused where others can reach them", () => {
    expect(problemsOf({ env: { SOKETI_DEFAULT_APP_ID: 'x' } })).toEqual([
      expect.stringContaining('the development secret is public'),
    ]);
  });

  it('yields to SPILLWAY_ variables', () => {
    expect(
      load({}, { ...appEnvironment, SOKETI_PORT: '1', SPILLWAY_SERVER_PORT: '2' }).config.server.port,
    ).toBe(2);
  });

  it('reports wrong values by the name of the variable, without secrets', () => {
    const env = { ...appEnvironment, SOKETI_PORT: 'x', SOKETI_DEFAULT_APP_SECRET: '["hunter2"]' };
    const problems = problemsOf({ env });
    expect(problems).toEqual([
      'server.port: expected an integer from 0 to 65535, got "x"; from SOKETI_PORT',
      'apps[0].secret: expected a string of 1 to 1000 characters, got a list; from SOKETI_DEFAULT_APP_SECRET',
    ]);
  });

  it('refuses apps from a database', () => {
    expect(problemsOf({ env: { ...appEnvironment, SOKETI_APP_MANAGER_DRIVER: 'mysql' } })).toEqual([
      'SOKETI_APP_MANAGER_DRIVER: apps are read from the configuration only, not from a database: list them under apps',
    ]);
  });

  it('excludes apps from elsewhere', () => {
    expect(problemsOf({ env: appEnvironment, overrides: { apps: [ownApp] } })).toEqual([
      'SOKETI_DEFAULT_APP_ID: cannot be combined with apps from the command line',
    ]);
  });

  it('of a Kubernetes service called soketi is ignored', () => {
    const loaded = load({}, { SOKETI_PORT: 'tcp://10.0.0.1:6001', SOKETI_SERVICE_HOST: '10.0.0.1' });
    expect(loaded.translations).toEqual([]);
    expect(loaded.config.server.host).toBe('127.0.0.1');
  });
});

describe("soketi's configuration file", () => {
  const app = {
    id: 5,
    key: 'k',
    secret: 's',
    maxConnections: '20',
    enableClientMessages: true,
    maxReadRequestsPerSecond: -1,
  };

  it.each([
    [
      'nested',
      { port: 7000, appManager: { driver: 'array', array: { apps: [app] } }, metrics: { port: 9700 } },
    ],
    ['dotted', { port: 7000, 'appManager.array.apps': [app], 'metrics.port': 9700 }],
  ])('is known by its shape: %s', (_form, content) => {
    const loaded = loadConfig({ file: files.write(content), env: {} });
    expect(loaded.config).toMatchObject({
      server: { port: 7000, host: '0.0.0.0' },
      admin: { port: 9700 },
      apps: [{ id: '5', key: 'k', secret: 's', maxConnections: 20, clientEvents: { enabled: true } }],
    });
    expect(translationOf(loaded, 'appManager.array.apps[0].enableClientMessages')?.to).toBe(
      'apps[0].clientEvents.enabled',
    );
    expect(translationOf(loaded, 'appManager.array.apps[0].maxReadRequestsPerSecond')?.to).toBeUndefined();
  });

  it('takes the credentials of its first app from the environment too', () => {
    const file = files.write({ 'appManager.array.apps': [app] });
    const { config } = loadConfig({ file, env: { SOKETI_DEFAULT_APP_SECRET: 'other' } });
    expect(config.apps[0]).toMatchObject({ id: '5', secret: 'other' });
  });

  it('names the option in messages', () => {
    const file = files.write({ port: 'x', 'appManager.array.apps': [app] });
    expect(problemsOf({ file })).toEqual([
      `server.port: expected an integer from 0 to 65535, got "x"; from port of file ${file}`,
    ]);
  });

  it('is not what a file with a group of ours is, however wrong', () => {
    const file = files.write({ server: {}, port: 7000, metrics: {} });
    expect(problemsOf({ file })).toEqual([
      `port: unknown key, did you mean server.port?; from file ${file}`,
      `metrics: unknown key; from file ${file}`,
    ]);
  });
});
