import type { LoadedConfig } from '../../config/load.ts';
import type { RunningServer } from '../server.ts';
import { snippets } from './snippets.ts';
import { workerCount } from '../workers/worker-count.ts';
import type { Terminal } from './terminal.ts';
import { untilSignal } from './until-signal.ts';

/** Starts a server from a loaded configuration: `startServer` of lib/server.ts. */
export type StartServer = (
  config: LoadedConfig['config'],
  notes: Pick<LoadedConfig, 'warnings' | 'isDevelopmentApp'>,
) => Promise<RunningServer>;

/** Runs the server until it is told to stop, and resolves to the exit code. */
export function runServer(
  loaded: LoadedConfig,
  terminal: Terminal,
  startServer: StartServer,
): Promise<number> {
  const { config, warnings, isDevelopmentApp } = loaded;
  return untilSignal(terminal.signals, async () => {
    const server = await startServer(config, { warnings, isDevelopmentApp });
    const [app] = config.apps;
    if (isDevelopmentApp && app !== undefined) {
      terminal.err(snippets({ app, server: config.server, port: server.port }));
    }
    return server;
  });
}

/** Loads the server only when it is needed, so that the other commands answer at once. */
export const startRealServer: StartServer = async (config, notes) => {
  if (workerCount(config.server.workers) > 1) {
    const { startWorkers } = await import('../workers/primary.ts');
    return startWorkers(config, notes);
  }
  const { startServer } = await import('../server.ts');
  return startServer(config, notes);
};
