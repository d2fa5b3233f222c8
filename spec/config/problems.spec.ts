import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigFiles, ownApp, problemsOf } from './config-files.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

describe('the list of mistakes', () => {
  it('has every mistake of every source at once, with its path and where it came from', () => {
    const file = files.write({
      server: { port: 'x', maxPayloadBytes: 1, prot: 1 },
      apps: [{ id: 'a', key: 'k', secret: '', webhooks: [{ url: 'ftp://x' }] }],
      sessions: { ttl: '1 day' },
      chache: {},
    });
    const env = {
      SPILLWAY_DRAIN_WAVE_MS: 'soon',
      SPILLWAY_CLEANUP_MODE: 'lazy',
      SPILLWAY_CLEENUP_MODE: 'inline',
    };
    expect(problemsOf({ file, env, overrides: { log: { level: 7 } } })).toEqual([
      'SPILLWAY_CLEENUP_MODE: unknown environment variable, did you mean SPILLWAY_CLEANUP_MODE?',
      `server.port: expected an integer from 0 to 65535, got "x"; from file ${file}`,
      `server.maxPayloadBytes: expected an integer from 1024 to 104857600, got 1; from file ${file}`,
      `server.prot: unknown key, did you mean server.port?; from file ${file}`,
      `apps[0].secret: expected a string of 1 to 1000 characters, got an empty string; from file ${file}`,
      `apps[0].webhooks[0].url: expected an http or https URL, got a string; from file ${file}`,
      'cleanup.mode: expected "batched" or "inline", got "lazy"; from SPILLWAY_CLEANUP_MODE',
      'drain.waveMs: expected an integer from 1 to 60000, got "soon"; from SPILLWAY_DRAIN_WAVE_MS',
      `sessions.ttl: expected a duration such as "24h", "1h30m" or "500ms", at most 365d, got "1 day"; from file ${file}`,
      'log.level: expected "trace", "debug", "info", "warn", "error", "fatal" or "silent", got 7; from the command line',
      `chache: unknown key, did you mean cache?; from file ${file}`,
    ]);
  });

  it.each([
    [{ apps: [{}] }, ['apps[0].id', 'apps[0].key', 'apps[0].secret']],
    [{ apps: ['a'] }, ['apps[0]']],
    [{ apps: {} }, ['apps']],
    [{ server: [] }, ['server']],
    [{ server: null }, ['server']],
    [{ server: { port: 1.5 } }, ['server.port']],
    [{ server: { port: -1 } }, ['server.port']],
    [{ server: { overCapacityCode: 4301 } }, ['server.overCapacityCode']],
    [{ server: { path: 'ws' } }, ['server.path']],
    [{ server: { path: '/ws/' } }, ['server.path']],
    [{ server: { tls: { certFile: 'c' } } }, ['server.tls.keyFile']],
    [
      { server: { trustedProxies: ['10.0.0.0/33', '10.0.0.0/8/8', 'proxy'] } },
      ['server.trustedProxies[0]', 'server.trustedProxies[1]', 'server.trustedProxies[2]'],
    ],
    [{ cleanup: { concurrency: 0 } }, ['cleanup.concurrency']],
    [{ cleanup: { concurrency: -1 } }, ['cleanup.concurrency']],
    [{ cleanup: { concurrency: 'x' } }, ['cleanup.concurrency']],
    [{ cleanup: { concurrency: '0' } }, ['cleanup.concurrency']],
    [{ sessions: { ttl: 5 } }, ['sessions.ttl']],
    [{ sessions: { sweep: '0s' } }, ['sessions.sweep']],
    [{ redis: { url: 'http://x' } }, ['redis.url']],
    [{ redis: {} }, ['redis.url']],
    [
      { redis: { url: 'redis://x', cluster: true, sentinels: { name: 'm', nodes: ['a:1'] } } },
      ['redis.sentinels'],
    ],
    [{ cluster: { renewMs: 5000 } }, ['cluster.renewMs']],
    [{ redis: { url: 'redis://r' }, webhooks: { timeoutMs: 6000 } }, ['cluster.leaseMs']],
    [{ server: { workers: 2 } }, ['server.workers']],
    [{ server: { workers: '2' } }, ['server.workers']],
    [{ server: { workers: 'auto' } }, ['server.workers']],
    [{ server: { workers: 0 } }, ['server.workers']],
    [{ redis: { url: 'redis://r' }, server: { workers: 257 } }, ['server.workers']],
    [{ redis: { url: 'redis://r' }, server: { workers: 'all' } }, ['server.workers']],
    [{ apps: [{ ...ownApp, allowedOrigins: [] }] }, ['apps[0].allowedOrigins']],
    [{ apps: [{ ...ownApp, allowedOrigins: ['https://exa*mple.com'] }] }, ['apps[0].allowedOrigins[0]']],
    [{ apps: [{ ...ownApp, allowedOrigins: ['https://example.com/path'] }] }, ['apps[0].allowedOrigins[0]']],
    [{ apps: [{ ...ownApp, key: 'a:b' }] }, ['apps[0].key']],
    [
      { apps: [{ ...ownApp, webhooks: [{ url: 'http://x', headers: { 'a b': '1' } }] }] },
      ['apps[0].webhooks[0].headers["a b"]'],
    ],
    [
      { apps: [{ ...ownApp, webhooks: [{ url: 'http://x', headers: { a: 'x\r\ny' } }] }] },
      ['apps[0].webhooks[0].headers.a'],
    ],
    [
      { apps: [{ ...ownApp, webhooks: [{ url: 'http://x', events: ['joined'] }] }] },
      ['apps[0].webhooks[0].events[0]'],
    ],
  ])('of %j names %j', (overrides, paths) => {
    expect(problemsOf({ overrides }).map((problem) => problem.split(': ')[0])).toEqual(paths);
  });

  it('tells ids, keys and webhooks that are used twice', () => {
    const hook = { url: 'https://example.com/hook' };
    const problems = problemsOf({
      overrides: {
        apps: [
          { ...ownApp, extraKeys: [{ key: 'second', secret: 's' }], webhooks: [hook, hook] },
          {
            id: 'shop',
            key: 'second',
            secret: 's',
            webhooks: [
              { ...hook, id: 'w' },
              { url: 'https://x', id: 'w' },
            ],
          },
        ],
      },
    });
    expect(problems).toEqual([
      'apps[1].id: this app id is used twice; from the command line',
      'apps[1].key: this key is used twice: each key belongs to one app; from the command line',
      'apps[0].webhooks[1].url: this url is used twice in one app: give each of these webhooks an id; from the command line',
      'apps[1].webhooks[1].id: this webhook id is used twice in one app; from the command line',
    ]);
  });

  it('allows the same webhook id in two apps', () => {
    const webhooks = [{ id: 'w', url: 'https://example.com/hook' }];
    const apps = [
      { ...ownApp, webhooks },
      { id: 'b', key: 'b', secret: 'b', webhooks },
    ];
    expect(problemsOf({ overrides: { apps } })).toEqual([]);
  });

  it.each([
    [{ server: { prot: 1 } }, 'server.port'],
    [{ cache: { ttl: 9 } }, 'cache.ttlSeconds'],
    [{ port: 7000 }, 'server.port'],
    [{ sevrer: {} }, 'server'],
    [{ apps: [{ ...ownApp, clientEvent: {} }] }, 'apps[0].clientEvents'],
  ])('suggests for %j what was meant', (overrides, suggestion) => {
    expect(problemsOf({ overrides })).toEqual([expect.stringContaining(`, did you mean ${suggestion}?`)]);
  });

  it('suggests nothing for a key that is near none', () => {
    expect(problemsOf({ overrides: { banana: 1 } })).toEqual(['banana: unknown key; from the command line']);
  });

  it('quotes keys that are not plain words, so that each mistake stays on one line', () => {
    expect(problemsOf({ overrides: { 'a\nb': 1 } })).toEqual([
      '["a\\nb"]: unknown key; from the command line',
    ]);
  });
});

describe('a configuration file', () => {
  it('that is malformed is reported with line and column', () => {
    const file = files.write('{\n  "server": { "port": 1 "host": "x" }\n}');
    expect(problemsOf({ file })).toEqual([`${file}:2:25: malformed JSON: expected "," or "}"`]);
  });

  it('that does not exist is reported', () => {
    const file = files.missing();
    expect(problemsOf({ file })).toEqual([`${file}: cannot be read: no such file`]);
  });

  it('that is a folder is reported', () => {
    expect(problemsOf({ file: '/' })).toEqual(['/: cannot be read: EISDIR']);
  });

  it('that is not an object is reported', () => {
    const file = files.write('[]');
    expect(problemsOf({ file })).toEqual([`${file}: expected an object with settings`]);
  });

  it('may have comments and name its schema', () => {
    expect(problemsOf({ file: files.write('{ "$schema": "x", /* a */ "server": {}, // b\n }') })).toEqual([]);
  });
});

describe('secrets', () => {
  const secret = 'hunter2-hunter2';

  it.each([
    ['a secret of the wrong type', { apps: [{ ...ownApp, secret: [secret] }] }],
    ['a secret that is too long', { apps: [{ ...ownApp, secret: secret.repeat(100) }] }],
    ['an app that is a text', { apps: [`id:key:${secret}`] }],
    ['apps that are a text', { apps: secret }],
    ['a secret under an unknown key', { apps: [{ ...ownApp, secert: secret }] }],
    ['a signing secret', { apps: [{ ...ownApp, webhooks: [{ url: 'https://x', signingSecret: secret }] }] }],
    ['a url with a password', { apps: [{ ...ownApp, webhooks: [{ url: `ftp://u:${secret}@x` }] }] }],
    ['a header', { apps: [{ ...ownApp, webhooks: [{ url: 'https://x', headers: { a: `${secret}\n` } }] }] }],
    ['a redis url', { redis: { url: `reddis://:${secret}@x` } }],
    [
      'a sentinel',
      { redis: { url: 'redis://x', sentinels: { name: 'a', nodes: [`redis://:${secret}@x/`] } } },
    ],
    ['an admin token', { admin: { token: [secret] } }],
    [
      'a secret used twice',
      {
        apps: [
          { ...ownApp, secret },
          { ...ownApp, secret },
        ],
      },
    ],
  ])('never appear in messages: %s', (_what, overrides) => {
    const problems = problemsOf({ overrides });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain(secret);
  });

  it('never appear in messages: malformed JSON in the environment', () => {
    const problems = problemsOf({ env: { SPILLWAY_APPS: `[{"secret": ${secret}}]` } });
    expect(problems).toEqual([
      'SPILLWAY_APPS: expected JSON, a list of objects: expected a value (line 1, column 13)',
    ]);
  });
});
