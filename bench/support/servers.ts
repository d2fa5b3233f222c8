import type { BenchServer, ServerName, ServerOptions } from './bench-server.ts';
import { startEcho, startPlainWs, startRaw } from './bare-servers.ts';
import { startSoketi } from './soketi-server.ts';
import { startSpillway } from './spillway-server.ts';

export { app, type BenchServer, type ServerName, type ServerOptions } from './bench-server.ts';

/** @throws Error that says why, where that server cannot run: its row stays empty. */
export function startServer(name: ServerName, options: ServerOptions = {}): Promise<BenchServer> {
  switch (name) {
    case 'spillway':
    case 'guarded':
    case 'naive':
      return startSpillway(name, options);
    case 'soketi':
      return startSoketi(options);
    case 'echo':
      return startEcho(options);
    case 'ws':
      return startPlainWs(options);
    case 'raw':
      return startRaw();
  }
}
