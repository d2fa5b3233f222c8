import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { countChannels, freePort, processOf, spawnNode, untilReady } from './server-process.ts';
import { app, type BenchServer, lifecycleWebhooks, type ServerOptions } from './bench-server.ts';

/** The published package with its limits off. It ends where its native part is missing: its figures would not be its own. */
export async function startSoketi(options: ServerOptions): Promise<BenchServer> {
  if (options.silenceMs !== undefined)
    throw new Error('soketi drops silent peers after 120 s, and that cannot be set');
  const folder = mkdtempSync(join(tmpdir(), 'soketi-bench-'));
  const port = await freePort();
  const file = join(folder, 'soketi.json');
  writeFileSync(file, JSON.stringify(settingsOf(options, port)));
  const binary = resolve('bench/peers/soketi/node_modules/@soketi/soketi/bin/server.js');
  const args = [binary, 'start', `--config=${file}`];
  const child = spawnNode(args, folder, ['ignore', 'ignore', 'ignore', 'ipc']);
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

function settingsOf(
  { webhookPort, webhookEvents = lifecycleWebhooks, apps = [] }: ServerOptions,
  port: number,
): object {
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
  return {
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
}
