import { describe, expect, it } from '@jest/globals';
import { load, ownApp, problemsOf } from './config-files.ts';

const developmentWarning = expect.objectContaining({ code: 'config.development-app' });

describe('the development app', () => {
  it('is there when no app is configured, with client events and a warning', () => {
    const { config, warnings, isDevelopmentApp } = load();
    expect(config.apps).toHaveLength(1);
    expect(config.apps[0]).toMatchObject({
      id: 'app-id',
      key: 'app-key',
      secret: 'app-secret',
      clientEvents: { enabled: true, perSecond: 10 },
    });
    expect(isDevelopmentApp).toBe(true);
    expect(warnings).toEqual([developmentWarning]);
  });

  it('is not there when an app is configured', () => {
    const { config, warnings, isDevelopmentApp } = load({ apps: [ownApp] });
    expect(config.apps.map(({ id }) => id)).toEqual(['shop']);
    expect(isDevelopmentApp).toBe(false);
    expect(warnings).toEqual([]);
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.com'])('is refused on %s', (host) => {
    expect(problemsOf({ overrides: { server: { host } } })).toEqual([
      expect.stringMatching(/^apps\[0\]\.secret: the development secret is public/),
    ]);
  });

  it.each(['127.0.0.1', '127.0.0.2', '::1', 'localhost'])('is served on %s', (host) => {
    expect(problemsOf({ overrides: { server: { host } } })).toEqual([]);
  });

  it('is served anywhere with SPILLWAY_DEV=1', () => {
    const { config, isDevelopmentApp } = load({ server: { host: '0.0.0.0' } }, { SPILLWAY_DEV: '1' });
    expect(config.server.host).toBe('0.0.0.0');
    expect(isDevelopmentApp).toBe(true);
  });

  it.each(['0', 'false'])('is refused on 0.0.0.0 with SPILLWAY_DEV=%s', (text) => {
    expect(
      problemsOf({ overrides: { server: { host: '0.0.0.0' } }, env: { SPILLWAY_DEV: text } }),
    ).toHaveLength(1);
  });

  it('SPILLWAY_DEV takes only true or false', () => {
    expect(problemsOf({ env: { SPILLWAY_DEV: 'maybe' } })).toEqual(['SPILLWAY_DEV: expected true or false']);
  });

  it('lends its secret to no other app beyond loopback', () => {
    const apps = [ownApp, { id: 'b', key: 'b', secret: 'app-secret' }];
    expect(problemsOf({ overrides: { apps, server: { host: '0.0.0.0' } } })).toEqual([
      expect.stringMatching(/^apps\[1\]\.secret: /),
    ]);
  });
});
