import { afterAll, describe, expect, it } from '@jest/globals';
import { main } from '../../../lib/cli/main.ts';
import { ConfigFiles, ownApp } from '../../config/config-files.ts';
import { FakeServer, FakeTerminal, settled } from './fake-terminal.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

describe('spillway start', () => {
  async function startAndStop(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const terminal = new FakeTerminal(env);
    const server = new FakeServer();
    const exitCode = main(['start', ...args], terminal, server.start);
    await settled();
    terminal.signal('SIGTERM');
    return { terminal, server, exitCode: await exitCode };
  }

  it('runs until SIGTERM, then stops and exits with 0', async () => {
    const { server, exitCode, terminal } = await startAndStop([]);
    expect(server.reasons).toEqual(['SIGTERM']);
    expect(exitCode).toBe(0);
    expect(terminal.listenerCount).toBe(0);
  });

  it('gives the server its configuration and what is to be said about it', async () => {
    const file = files.write({ apps: [ownApp], sessions: { max: 5 }, server: { port: 1 } });
    const flags = ['--host', 'localhost', '--port', '7000', '--log-level', 'warn'];
    const sets = ['--set', 'server.path=/a', '--set', 'http.maxEventBytes=5'];
    const { server } = await startAndStop(['--config', file, ...flags, ...sets]);
    const [config, notes] = server.started[0]!;
    expect(config).toMatchObject({
      server: { host: 'localhost', port: 7000, path: '/a' },
      http: { maxEventBytes: 5 },
      log: { level: 'warn' },
    });
    expect(notes).toEqual({
      isDevelopmentApp: false,
      warnings: [{ code: 'config.inactive', message: expect.stringContaining('sessions') }],
    });
  });

  it('prints snippets for the development app on stderr, with the real port', async () => {
    const { terminal } = await startAndStop([]);
    expect(terminal.written).toBe('');
    expect(terminal.errors).toContain("new Pusher('app-key'");
    expect(terminal.errors).toContain('wsPort: 7001');
  });

  it('prints no snippets for an app of your own', async () => {
    const { terminal } = await startAndStop([], { SPILLWAY_APPS: JSON.stringify([ownApp]) });
    expect(terminal.errors).toBe('');
  });

  it('lists the mistakes of a wrong configuration, one per line, and exits with 1', async () => {
    const terminal = new FakeTerminal();
    const server = new FakeServer();
    expect(await main(['start', '--port', 'x', '--set', 'server.hots=y'], terminal, server.start)).toBe(1);
    expect(terminal.errors).toBe(
      'spillway: the configuration has 2 mistakes:\n' +
        '  server.port: expected an integer from 0 to 65535, got "x"; from the command line\n' +
        '  server.hots: unknown key, did you mean server.host?; from the command line\n',
    );
    expect(server.started).toEqual([]);
  });

  it('lists every mistake, however many there are', async () => {
    const terminal = new FakeTerminal();
    const apps = Array.from({ length: 50 }, () => ({}));
    expect(await main(['start', '--set', `apps=${JSON.stringify(apps)}`], terminal)).toBe(1);
    expect(terminal.errors.split('\n')).toHaveLength(152);
  });

  it('says why a start failed, without a stack, and exits with 1', async () => {
    const terminal = new FakeTerminal();
    const failing = () =>
      Promise.reject(new Error('listen EADDRINUSE: address already in use 127.0.0.1:6001'));
    expect(await main(['start'], terminal, failing)).toBe(1);
    expect(terminal.errors).toBe('spillway: listen EADDRINUSE: address already in use 127.0.0.1:6001\n');
    expect(terminal.listenerCount).toBe(0);
  });
});

describe('spillway check', () => {
  it('says what a configuration means, without secrets', async () => {
    const file = files.write({
      server: { port: 7000, host: '::1' },
      admin: { token: 'hunter2' },
      preset: 'low-latency',
      apps: [
        {
          ...ownApp,
          name: 'The shop',
          secret: 'hunter2',
          maxConnections: 5,
          clientEvents: { enabled: true },
        },
      ],
      sessions: { ttl: '2h' },
    });
    const terminal = new FakeTerminal();
    expect(await main(['check', '--config', file], terminal)).toBe(0);
    expect(terminal.errors).toBe('');
    expect(terminal.written).not.toContain('hunter2');
    expect(terminal.written).toBe(
      [
        'Clients  ws://[::1]:7000',
        'Admin    http://127.0.0.1:9601 (with a token)',
        'State    in memory',
        'Preset   low-latency',
        '',
        'Apps:',
        '  shop (The shop): key shop-key, at most 5 connections, client events',
        '',
        'Not as the defaults:',
        '  preset = "low-latency"',
        '  server.host = "::1"',
        '  server.port = 7000',
        '  admin.token = "[redacted]"',
        '  cleanup.batchSize = 32',
        '  cleanup.batchWindowMs = 10',
        '  cleanup.announceWindowMs = 10',
        '  webhooks.batchWindowMs = 50',
        '  sessions.ttl = 7200000',
        '',
        'Warnings:',
        '  sessions is set, but this version keeps no sessions: nothing expires and nothing is limited by it',
        '',
        'The configuration can be started.',
        '',
      ].join('\n'),
    );
  });

  it('says what each soketi setting became', async () => {
    const terminal = new FakeTerminal({
      SOKETI_DEFAULT_APP_ID: 'a',
      SOKETI_DEFAULT_APP_SECRET: 'hunter2',
      SOKETI_QUEUE_DRIVER: 'redis',
      SOKETI_BANANA: '1',
    });
    expect(await main(['check'], terminal)).toBe(0);
    expect(terminal.written).not.toContain('hunter2');
    expect(terminal.written).toContain('  SOKETI_DEFAULT_APP_SECRET: became apps[0].secret\n');
    expect(terminal.written).toContain('  SOKETI_BANANA: no counterpart\n');
    expect(terminal.written).toContain(
      '  SOKETI_QUEUE_DRIVER: no counterpart; webhooks have an outbox of their own\n',
    );
    expect(terminal.written).toContain('became server.host; soketi listens on 0.0.0.0 unless told otherwise');
  });

  it('lists the mistakes and exits with 1', async () => {
    const terminal = new FakeTerminal();
    expect(await main(['check', '--config', files.missing()], terminal)).toBe(1);
    expect(terminal.errors).toMatch(/^spillway: the configuration has one mistake:\n {2}.*: no such file\n$/);
    expect(terminal.written).toBe('');
  });
});

describe('spillway', () => {
  it('schema prints the JSON Schema', async () => {
    const terminal = new FakeTerminal();
    expect(await main(['schema'], terminal)).toBe(0);
    expect(JSON.parse(terminal.written)).toMatchObject({ title: 'Spillway configuration', type: 'object' });
  });

  it('--version prints the version', async () => {
    const terminal = new FakeTerminal();
    expect(await main(['--version'], terminal)).toBe(0);
    expect(terminal.written).toBe('1.2.3\n');
  });

  it('--help prints the commands', async () => {
    const terminal = new FakeTerminal();
    expect(await main(['--help'], terminal)).toBe(0);
    expect(terminal.written).toMatch(/start[\s\S]*check[\s\S]*schema/);
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['stard']],
    ['an unknown flag', ['start', '--prot', '1']],
    ['a flag without its value', ['start', '--config']],
    ['--set without a value', ['start', '--set', 'server.port']],
    ['an argument too many', ['start', 'now']],
  ])('exits with 2 for wrong usage: %s', async (_what, args) => {
    const terminal = new FakeTerminal();
    expect(await main(args, terminal)).toBe(2);
    expect(terminal.errors).not.toBe('');
    expect(terminal.written).toBe('');
  });
});
