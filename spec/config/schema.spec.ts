import { describe, expect, it } from '@jest/globals';
import { configSchema } from '../../config/schema.ts';
import { load } from './config-files.ts';

describe('the schema', () => {
  it('fills in every documented default', () => {
    expect(configSchema.parse({})).toEqual({
      preset: 'balanced',
      server: {
        host: '127.0.0.1',
        port: 6001,
        path: '',
        maxConnections: 0,
        maxSubscriptionsPerConnection: 1000,
        maxPayloadBytes: 65536,
        perMessageDeflate: false,
        workers: 1,
        fastPaths: true,
        activityTimeoutSeconds: 120,
        pongTimeoutSeconds: 30,
        overCapacityCode: 4004,
        trustedProxies: [],
      },
      http: { maxEventBytes: 10240, maxBodyBytes: 1048576 },
      inbound: { maxWaitingFrames: 64 },
      admin: { host: '127.0.0.1', port: 9601 },
      apps: [],
      cluster: { leaseMs: 8000, renewMs: 2000, sweepMs: 1000, partitions: 16 },
      cleanup: {
        mode: 'batched',
        queueCapacity: 10000,
        batchSize: 64,
        batchWindowMs: 50,
        concurrency: 'auto',
        announceWindowMs: 50,
      },
      webhooks: {
        graceMs: 3000,
        batchSize: 20,
        batchWindowMs: 250,
        timeoutMs: 4000,
        concurrency: 20,
        retainHours: 72,
        maxBacklogBytes: 268435456,
        allowPrivateNetworks: true,
      },
      drain: { waveMs: 200, perWave: 500, deadlineMs: 25000 },
      delivery: { maxBufferedBytes: 1048576, slowConsumer: 'disconnect' },
      sessions: { ttl: 86_400_000, idle: 3_600_000, sweep: 60_000, max: 1000000, requestsPerSecond: 100 },
      cache: { ttlSeconds: 1800 },
      log: { level: 'info' },
      stages: [],
    });
  });

  it('fills in every documented default of an app and of a webhook', () => {
    const webhooks = [{ url: 'https://example.com/hook' }];
    const { config } = load({ apps: [{ id: 'a', key: 'k', secret: 's', webhooks }] });
    expect(config.apps).toEqual([
      {
        id: 'a',
        key: 'k',
        secret: 's',
        enabled: true,
        maxConnections: 0,
        extraKeys: [],
        clientEvents: { enabled: false, perSecond: 10 },
        presence: { maxMembers: 100, maxUserInfoBytes: 1024 },
        subscriptionCount: false,
        watchlist: false,
        requireAuthWithinSeconds: 0,
        allowedOrigins: ['*'],
        tlsOnly: false,
        webhooks: [
          {
            url: 'https://example.com/hook',
            events: ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'],
            channels: { startsWith: '', endsWith: '' },
            headers: {},
            batching: true,
          },
        ],
      },
    ]);
  });

  it('accepts every documented key', () => {
    const everything = {
      server: {
        path: '/ws',
        overCapacityCode: 4100,
        trustedProxies: ['10.0.0.0/8', '::1'],
        tls: { certFile: 'c', keyFile: 'k' },
      },
      redis: { url: 'redis://127.0.0.1:6379', keyPrefix: 'x:', sentinels: { name: 'm', nodes: ['a:26379'] } },
      admin: { host: '0.0.0.0', token: 't' },
      apps: [
        {
          id: 'a',
          key: 'k',
          secret: 's',
          name: 'The shop',
          extraKeys: [{ key: 'k2', secret: 's2' }],
          allowedOrigins: ['https://*.example.com', 'example.com', 'http://localhost:*', 'http://[::1]:3000'],
          webhooks: [
            {
              id: 'w',
              url: 'http://h/x',
              events: ['cache_miss'],
              headers: { 'X-Y': 'z' },
              signingSecret: 'whsec_YWJj',
            },
          ],
        },
      ],
      webhooks: { spoolFile: '/tmp/spool' },
      sessions: { ttl: '1h30m', idle: '0s', sweep: '500ms' },
      stages: ['/stages'],
    };
    expect(load(everything).config).toMatchObject({
      ...everything,
      sessions: { ttl: 5_400_000, idle: 0, sweep: 500 },
    });
  });

  it.each([['auto', 'auto'] as const, [3, 3] as const, ['3', 3] as const])(
    'reads cleanup.concurrency %p as %p',
    (given, expected) => {
      expect(load({ cleanup: { concurrency: given } }).config.cleanup.concurrency).toBe(expected);
    },
  );

  it('gives a configuration that cannot be changed', () => {
    const { config } = load();
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.apps[0]?.allowedOrigins)).toBe(true);
  });
});
