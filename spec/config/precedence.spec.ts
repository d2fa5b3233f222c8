import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import { overridesFrom } from '../../config/overrides.ts';
import { ConfigFiles, load, ownApp } from './config-files.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

describe('where settings come from', () => {
  const file = files.write({
    server: { port: 1, host: 'localhost' },
    cleanup: { batchSize: 2 },
    preset: 'low-latency',
  });
  const env = { SPILLWAY_SERVER_PORT: '3', SPILLWAY_CLEANUP_BATCH_WINDOW_MS: '4' };

  it('each source wins over those before it: defaults, preset, file, environment, flags', () => {
    const { config } = loadConfig({ file, env, overrides: { server: { port: 5 } } });
    expect(config.server).toMatchObject({ port: 5, host: 'localhost', maxPayloadBytes: 65536 });
    expect(config.cleanup).toMatchObject({
      batchSize: 2,
      batchWindowMs: 4,
      announceWindowMs: 10,
      queueCapacity: 10000,
    });
  });

  it('the environment wins over the file', () => {
    expect(loadConfig({ file, env }).config.server.port).toBe(3);
  });

  it('SPILLWAY_CONFIG names the file, unless a flag does', () => {
    const other = files.write({ server: { port: 9 } });
    expect(loadConfig({ env: { SPILLWAY_CONFIG: file } }).config.server.port).toBe(1);
    expect(loadConfig({ file: other, env: { SPILLWAY_CONFIG: file } }).config.server.port).toBe(9);
  });

  it('lists are replaced, not merged', () => {
    const listed = files.write({
      apps: [ownApp, { id: 'b', key: 'b', secret: 'b' }],
      server: { trustedProxies: ['::1'] },
    });
    const apps = JSON.stringify([{ id: 'c', key: 'c', secret: 'c' }]);
    const { config } = loadConfig({
      file: listed,
      env: { SPILLWAY_APPS: apps, SPILLWAY_SERVER_TRUSTED_PROXIES: '10.0.0.1' },
    });
    expect(config.apps.map(({ id }) => id)).toEqual(['c']);
    expect(config.server.trustedProxies).toEqual(['10.0.0.1']);
  });

  it('SPILLWAY_STAGES adds to the stages of the file', () => {
    const staged = files.write({ stages: ['/a'] });
    expect(loadConfig({ file: staged, env: { SPILLWAY_STAGES: '/b, /c.ts' } }).config.stages).toEqual([
      '/a',
      '/b',
      '/c.ts',
    ]);
    expect(loadConfig({ env: { SPILLWAY_STAGES: '/b' } }).config.stages).toEqual(['/b']);
  });

  it('settings of the command line are read by their type', () => {
    const overrides = overridesFrom([
      { key: 'server.port', text: '7000' },
      { key: 'server.perMessageDeflate', text: 'yes' },
      { key: 'server.path', text: '/a=b'.slice(0, 2) },
      { key: 'stages', text: '/a,/b' },
      { key: 'apps', text: JSON.stringify([ownApp]) },
      { key: 'server.port', text: '7001' },
    ]);
    expect(load(overrides).config).toMatchObject({
      server: { port: 7001, perMessageDeflate: true, path: '/a' },
      stages: ['/a', '/b'],
      apps: [ownApp],
    });
  });
});

describe('presets', () => {
  it('high-throughput lets more wait and gathers more', () => {
    const { config } = load({ preset: 'high-throughput' });
    expect(config.cleanup).toMatchObject({ queueCapacity: 50_000, batchSize: 128, batchWindowMs: 100 });
    expect(config.webhooks).toMatchObject({ batchSize: 100, batchWindowMs: 500, concurrency: 40 });
  });

  it('low-latency waits less', () => {
    const { config } = load({ preset: 'low-latency' });
    expect(config.cleanup).toMatchObject({ batchWindowMs: 10, announceWindowMs: 10, queueCapacity: 10_000 });
    expect(config.webhooks.batchWindowMs).toBe(50);
  });

  it('balanced is the defaults', () => {
    expect(load({ preset: 'balanced' }).config).toEqual(load().config);
  });

  it('leave alone what is set, also when it is set to the default', () => {
    const { config } = load({ preset: 'high-throughput', cleanup: { batchWindowMs: 50 } });
    expect(config.cleanup).toMatchObject({ batchWindowMs: 50, announceWindowMs: 100 });
  });

  it('can be chosen by the environment', () => {
    expect(load({}, { SPILLWAY_PRESET: 'low-latency' }).config.cleanup.batchSize).toBe(32);
  });
});
