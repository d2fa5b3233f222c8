import { describe, expect, it } from '@jest/globals';
import { environmentName } from '../../config/environment.ts';
import { plainSettings } from '../../config/settings.ts';
import { load, ownApp, problemsOf } from './config-files.ts';

describe('environment variables', () => {
  it('are named after the key', () => {
    expect(environmentName('server.maxConnections')).toBe('SPILLWAY_SERVER_MAX_CONNECTIONS');
    expect(environmentName('server.tls.certFile')).toBe('SPILLWAY_SERVER_TLS_CERT_FILE');
    expect(environmentName('redis.url')).toBe('SPILLWAY_REDIS_URL');
  });

  it('have a name of their own for every setting', () => {
    const names = plainSettings().map(({ key }) => environmentName(key));
    expect(new Set(names).size).toBe(names.length);
  });

  it('are read by the type of the setting', () => {
    const { config } = load(
      {},
      {
        SPILLWAY_SERVER_PORT: ' 7000 ',
        SPILLWAY_SERVER_PER_MESSAGE_DEFLATE: 'true',
        SPILLWAY_SERVER_OVER_CAPACITY_CODE: '4100',
        SPILLWAY_SERVER_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1',
        SPILLWAY_SERVER_TLS_CERT_FILE: '/cert',
        SPILLWAY_SERVER_TLS_KEY_FILE: '/key',
        SPILLWAY_CLEANUP_CONCURRENCY: '3',
        SPILLWAY_SESSIONS_TTL: '2h',
        SPILLWAY_ADMIN_TOKEN: '12345',
        SPILLWAY_APPS: `[${JSON.stringify(ownApp)}]`,
      },
    );
    expect(config).toMatchObject({
      server: {
        port: 7000,
        perMessageDeflate: true,
        overCapacityCode: 4100,
        trustedProxies: ['10.0.0.0/8', '127.0.0.1'],
        tls: { certFile: '/cert', keyFile: '/key' },
      },
      cleanup: { concurrency: 3 },
      sessions: { ttl: 7_200_000 },
      admin: { token: '12345' },
      apps: [ownApp],
    });
  });

  it('that are empty count as absent', () => {
    expect(
      load({}, { SPILLWAY_SERVER_PORT: '', SPILLWAY_REDIS_URL: '', SPILLWAY_APP_ID: '' }).config.server.port,
    ).toBe(6001);
  });

  it('that are unknown are mistakes', () => {
    expect(problemsOf({ env: { SPILLWAY_SERVER_PROT: '1', SPILLWAY_BANANA: '1', OTHER: '1' } })).toEqual([
      'SPILLWAY_SERVER_PROT: unknown environment variable, did you mean SPILLWAY_SERVER_PORT?',
      'SPILLWAY_BANANA: unknown environment variable',
    ]);
  });

  it('that Kubernetes adds for a service called spillway are ignored', () => {
    const env = {
      SPILLWAY_PORT: 'tcp://10.0.0.1:6001',
      SPILLWAY_PORT_6001_TCP: 'tcp://10.0.0.1:6001',
      SPILLWAY_PORT_6001_TCP_ADDR: '10.0.0.1',
      SPILLWAY_SERVICE_HOST: '10.0.0.1',
      SPILLWAY_SERVICE_PORT: '6001',
      SPILLWAY_SERVICE_PORT_HTTP: '6001',
      SPILLWAY_SERVER_PORT: 'tcp://10.0.0.1:6001',
    };
    expect(load({}, env).config.server.port).toBe(6001);
  });

  it('SPILLWAY_APP_ID, KEY and SECRET describe one app', () => {
    const env = { SPILLWAY_APP_ID: '17', SPILLWAY_APP_KEY: 'k', SPILLWAY_APP_SECRET: 's' };
    const loaded = load({}, env);
    expect(loaded.config.apps).toHaveLength(1);
    expect(loaded.config.apps[0]).toMatchObject({
      id: '17',
      key: 'k',
      secret: 's',
      clientEvents: { enabled: false },
    });
    expect(loaded.isDevelopmentApp).toBe(false);
    expect(loaded.warnings).toEqual([]);
  });

  it('SPILLWAY_APP_ID without the rest is a mistake', () => {
    const names = 'SPILLWAY_APP_ID, SPILLWAY_APP_KEY, SPILLWAY_APP_SECRET';
    expect(problemsOf({ env: { SPILLWAY_APP_ID: 'a', SPILLWAY_APP_KEY: 'k' } })).toEqual([
      `apps[0].secret: expected a string of 1 to 1000 characters, got nothing; from ${names}`,
    ]);
  });

  it('SPILLWAY_APP_ID and apps from elsewhere exclude each other', () => {
    const env = { SPILLWAY_APP_ID: 'a', SPILLWAY_APP_KEY: 'k', SPILLWAY_APP_SECRET: 's' };
    expect(problemsOf({ env, overrides: { apps: [ownApp] } })).toEqual([
      'SPILLWAY_APP_ID: cannot be combined with apps from the command line',
    ]);
    expect(problemsOf({ env: { ...env, SPILLWAY_APPS: JSON.stringify([ownApp]) } })).toEqual([
      'SPILLWAY_APP_ID: cannot be combined with apps from SPILLWAY_APPS',
    ]);
  });
});
