import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cpuMsOf } from './cpu.ts';
import { pinned } from './pin.ts';

/** The tenant that benchmarks use; `webhooks` is added where a receiver is running. */
export const app = { id: 'bench', key: 'bench-key', secret: 'bench-secret' } as const;

/** A server under test, in a process of its own. */
export interface BenchServer {
  readonly name: ServerName;
  readonly protocol: 'pusher' | 'echo';
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number | undefined;
  /** Channels of the app with that prefix, by the HTTP API; undefined for a bare server, which knows none. */
  channels(prefix: string): Promise<number> | undefined;
  cpuMs(): number;
  /** Sends a word to what was loaded into the process (bench/load/probe.js). */
  tell(word: string): void;
  /** Sends a word and waits for what comes back. */
  told(word: string): Promise<unknown>;
  stop(): Promise<void>;
}

export type ServerName = 'spillway' | 'echo' | 'soketi';

export interface ServerOptions {
  readonly webhookPort?: number;
  readonly webhookEvents?: readonly string[];
  /** After how long silence a peer is dropped, twice: to the ping, and to the end. Undefined: each server's default. */
  readonly silenceMs?: number;
  /** Settings of Spillway in the shape of its configuration file. */
  readonly config?: Readonly<Record<string, object>>;
  /** Further apps, in the shape of Spillway's configuration. */
  readonly apps?: readonly object[];
  /** Options of Node for the process. */
  readonly nodeOptions?: readonly string[];
}

const lifecycle = ['channel_occupied', 'channel_vacated'];

export function startServer(name: ServerName, options: ServerOptions = {}): Promise<BenchServer> {
  if (name === 'spillway') return startSpillway(options);
  return name === 'echo' ? startEcho(options) : startSoketi(options);
}

/** The built server with its default log level, its log in a file as a container runtime would have it. */
async function startSpillway(options: ServerOptions): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  const [port, adminPort] = [await freePort(), await freePort()];
  const {
    webhookPort,
    webhookEvents = lifecycle,
    silenceMs,
    config = {},
    apps = [],
    nodeOptions = [],
  } = options;
  const webhooks =
    webhookPort === undefined ? [] : [{ url: `http://127.0.0.1:${webhookPort}/`, events: webhookEvents }];
  const timeouts =
    silenceMs === undefined
      ? {}
      : { activityTimeoutSeconds: silenceMs / 1000, pongTimeoutSeconds: silenceMs / 1000 };
  const { webhooks: webhookSettings, ...otherSettings } = config;
  const file = join(folder, 'spillway.json');
  const settings = {
    apps: [
      { ...app, clientEvents: { enabled: true, perSecond: 0 }, presence: { maxMembers: 0 }, webhooks },
      ...apps,
    ],
    webhooks: webhookSettings,
    ...otherSettings,
    server: { port, ...timeouts },
    admin: { port: adminPort },
  };
  writeFileSync(file, JSON.stringify(settings));
  const log = openSync(join(folder, 'log'), 'w');
  const args = [...nodeOptions, resolve('bin/spillway.js'), 'start', '--config', file];
  const child = spawnServer(args, folder, ['ignore', log, 'inherit', 'ipc']);
  await untilReady(child, `http://127.0.0.1:${port}/ready`);
  return {
    ...processOf('spillway', child, folder),
    protocol: 'pusher',
    port,
    adminPort,
    channels: (prefix) => countChannels(port, prefix),
  };
}

async function startEcho({ silenceMs, nodeOptions = [] }: ServerOptions): Promise<BenchServer> {
  const timeouts = silenceMs === undefined ? ['120000', '30000'] : [String(silenceMs), String(silenceMs)];
  const child = spawnServer([...nodeOptions, resolve('bench/load/echo-server.js'), ...timeouts], tmpdir(), [
    'ignore',
    'inherit',
    'inherit',
    'ipc',
  ]);
  const port = await new Promise<number>((done, reject) => {
    child.once('message', (message: { port: number }) => done(message.port));
    child.once('exit', (code) => reject(new Error(`the echo server ended with ${String(code)}`)));
  });
  return {
    ...processOf('echo', child),
    protocol: 'echo',
    port,
    adminPort: undefined,
    channels: () => undefined,
  };
}

async function startSoketi({
  webhookPort,
  webhookEvents = lifecycle,
  silenceMs,
  apps = [],
}: ServerOptions): Promise<BenchServer> {
  if (silenceMs !== undefined)
    throw new Error('soketi drops silent peers after 120 s, and that cannot be set');
  const folder = mkdtempSync(join(tmpdir(), 'soketi-bench-'));
  const port = await freePort();
  const file = join(folder, 'soketi.json');
  const limits = {
    maxConnections: -1,
    maxBackendEventsPerSecond: -1,
    maxClientEventsPerSecond: -1,
    maxReadRequestsPerSecond: -1,
  };
  const own = {
    ...app,
    webhooks:
      webhookPort === undefined
        ? []
        : [{ url: `http://127.0.0.1:${webhookPort}/`, event_types: webhookEvents }],
  };
  const settings = {
    host: '127.0.0.1',
    port,
    'appManager.array.apps': [own, ...apps].map((one) => ({
      ...limits,
      enableClientMessages: true,
      enabled: true,
      ...one,
    })),
    'presence.maxMembersPerChannel': 1_000_000,
  };
  writeFileSync(file, JSON.stringify(settings));
  const binary = resolve('bench/peers/soketi/node_modules/@soketi/soketi/bin/server.js');
  const child = spawnServer([binary, 'start', `--config=${file}`], folder, [
    'ignore',
    'ignore',
    'ignore',
    'ipc',
  ]);
  await untilReady(child, `http://127.0.0.1:${port}/ready`);
  if (!readFileSync(`/proc/${child.pid ?? 0}/maps`, 'utf8').includes('uws_linux')) {
    child.kill('SIGKILL');
    throw new Error('soketi runs without its native part here: that would not be its own speed');
  }
  return {
    ...processOf('soketi', child, folder),
    protocol: 'pusher',
    port,
    adminPort: undefined,
    channels: (prefix) => countChannels(port, prefix),
  };
}

function spawnServer(
  args: readonly string[],
  home: string,
  stdio: ('ignore' | 'inherit' | 'ipc' | number)[],
): ChildProcess {
  const [command, all] = pinned('server', process.execPath, args);
  // soketi brings a process manager that writes into HOME, and into /etc when there is none.
  const child = spawn(command, all, { stdio, env: { PATH: process.env['PATH'] ?? '', HOME: home } });
  const kill = (): unknown => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

function processOf(name: ServerName, child: ChildProcess, folder?: string) {
  const pid = child.pid ?? 0;
  return {
    name,
    pid,
    cpuMs: () => cpuMsOf(pid),
    tell: (word: string) => void child.send(word),
    told: (word: string) =>
      new Promise((done) => {
        child.once('message', done);
        child.send(word);
      }),
    stop: async () => {
      const exited = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await exited;
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (let left = 300; left > 0; left--) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  child.kill('SIGKILL');
  throw new Error('the server was not ready after 15 s');
}

/** A request of the HTTP API that both servers sign alike. */
async function countChannels(port: number, prefix: string): Promise<number> {
  const path = `/apps/${app.id}/channels`;
  const timestamp = Math.floor(Date.now() / 1000);
  const query = `auth_key=${app.key}&auth_timestamp=${timestamp}&auth_version=1.0&filter_by_prefix=${prefix}`;
  const signature = createHmac('sha256', app.secret).update(`GET\n${path}\n${query}`).digest('hex');
  const answer = await fetch(`http://127.0.0.1:${port}${path}?${query}&auth_signature=${signature}`);
  const { channels } = (await answer.json()) as { channels: object };
  return Object.keys(channels).length;
}
