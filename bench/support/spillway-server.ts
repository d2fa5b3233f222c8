import { mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { countChannels, freePort, processOf, spawnNode, untilReady } from './server-process.ts';
import {
  app,
  type BenchServer,
  lifecycleWebhooks,
  type ServerName,
  type ServerOptions,
} from './bench-server.ts';

type Section = Readonly<Record<string, unknown>>;

/** A way to run Spillway: what it sets of the configuration, and of the app. */
interface Variant {
  readonly config: Readonly<Record<string, Section>>;
  readonly app: Section;
  readonly stages: readonly string[];
}

const plain: Variant = { config: {}, app: {}, stages: [] };

/** Every limit that can be set, far away; and a stage of a user on the way of each message and each event. */
const guarded: Variant = {
  config: { server: { maxConnections: 1_000_000 } },
  app: {
    maxConnections: 1_000_000,
    clientEvents: { enabled: true, perSecond: 1_000_000 },
    presence: { maxMembers: 1_000_000 },
    allowedOrigins: ['https://*.example.com', '127.0.0.1', '*'],
    requireAuthWithinSeconds: 3600,
    watchlist: true,
  },
  stages: [resolve('bench/stages')],
};

/** Every optimisation off: a frame per recipient, a cleanup per connection, a request per webhook event. */
const naive: Variant = {
  config: { server: { fastPaths: false }, cleanup: { mode: 'inline' }, webhooks: { batchSize: 1 } },
  app: {},
  stages: [],
};

const variants: Readonly<Partial<Record<ServerName, Variant>>> = { spillway: plain, guarded, naive };

/** The built server with its default log level, its log in a file as a container runtime would have it. */
export async function startSpillway(name: ServerName, options: ServerOptions): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, 'spillway.json');
  writeFileSync(file, JSON.stringify(settingsOf(variants[name] ?? plain, options, port, adminPort)));
  const log = openSync(join(folder, 'log'), 'w');
  const args = [...(options.nodeOptions ?? []), resolve('bin/spillway.js'), 'start', '--config', file];
  const child = spawnNode(args, folder, ['ignore', log, 'inherit', 'ipc']);
  await untilReady(child, `http://127.0.0.1:${port}/ready`);
  return {
    ...processOf(name, child, folder),
    protocol: 'pusher',
    port,
    adminPort,
    channels: (prefix) => countChannels(port, prefix),
  };
}

function settingsOf(variant: Variant, options: ServerOptions, port: number, adminPort: number): object {
  const { webhookPort, webhookEvents = lifecycleWebhooks, silenceMs, config = {}, apps = [] } = options;
  const webhooks =
    webhookPort === undefined ? [] : [{ url: `http://127.0.0.1:${webhookPort}/`, events: webhookEvents }];
  const timeouts =
    silenceMs === undefined
      ? {}
      : { activityTimeoutSeconds: silenceMs / 1000, pongTimeoutSeconds: silenceMs / 1000 };
  const own = {
    ...app,
    clientEvents: { enabled: true, perSecond: 0 },
    presence: { maxMembers: 0 },
    webhooks,
    ...variant.app,
  };
  const sections = [...new Set([...Object.keys(variant.config), ...Object.keys(config)])].map(
    (section) => [section, { ...variant.config[section], ...config[section] }] as const,
  );
  const { server, ...otherSettings } = Object.fromEntries<object>(sections);
  return {
    apps: [own, ...apps],
    ...otherSettings,
    stages: variant.stages,
    server: { ...server, port, ...timeouts },
    admin: { port: adminPort },
  };
}
