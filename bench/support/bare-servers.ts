import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { nativeProgram } from './native.ts';
import { processOf, spawnNode, spawnServer, toldPort } from './server-process.ts';
import type { BenchServer, ServerOptions } from './bench-server.ts';

const withoutApi = { adminPort: undefined, channels: () => undefined } as const;

/** Sends back what it is sent. */
export async function startEcho({ silenceMs, nodeOptions = [] }: ServerOptions): Promise<BenchServer> {
  const timeouts = silenceMs === undefined ? ['120000', '30000'] : [String(silenceMs), String(silenceMs)];
  const args = [...nodeOptions, resolve('bench/load/echo-server.js'), ...timeouts];
  const child = spawnNode(args, tmpdir(), ['ignore', 'inherit', 'inherit', 'ipc']);
  const port = await toldPort(child);
  return { ...processOf('echo', child), ...withoutApi, protocol: 'echo', port };
}

/** `ws` and one JSON.stringify per recipient. */
export async function startPlainWs({ nodeOptions = [] }: ServerOptions): Promise<BenchServer> {
  const args = [...nodeOptions, resolve('bench/peers/plain-ws.js')];
  const child = spawnNode(args, tmpdir(), ['ignore', 'inherit', 'inherit', 'ipc']);
  const port = await toldPort(child);
  return { ...processOf('ws', child), ...withoutApi, protocol: 'pusher', port };
}

/** A loop of `send` in C. */
export async function startRaw(): Promise<BenchServer> {
  const child = spawnServer(nativeProgram('raw', ['bench/peers/raw.c']), [], tmpdir(), [
    'ignore',
    'pipe',
    'inherit',
  ]);
  const [told] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return { ...processOf('raw', child), ...withoutApi, protocol: 'pusher', port: Number(told) };
}
