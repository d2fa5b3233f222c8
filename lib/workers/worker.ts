import { deepFreeze } from '../../config/deep-freeze.ts';
import { createNodeId } from '../parts.ts';
import { type AdminNode, type RunningServer, startServer } from '../server.ts';
import { type LogStream, toLogStream } from '../telemetry/log-stream.ts';
import { answerOf } from './answers.ts';
import type { PrimaryLink } from './primary-link.ts';

/** Starts a node that answers its primary instead of operators, with the configuration that the primary has. */
export async function startWorker(link: PrimaryLink): Promise<RunningServer> {
  await link.send({ kind: 'loaded' });
  const { config, isPretty } = await link.told;
  const nodeId = createNodeId();
  let node: AdminNode | undefined;
  const server = await startServer(deepFreeze(config), {
    nodeId,
    log: withoutReadiness(toLogStream({ nodeId, level: config.log.level, pretty: isPretty })),
    openAdmin: (shown) => {
      node = shown;
      link.answerWith((question) => answerOf(shown, question));
      return Promise.resolve({ port: undefined, close: () => Promise.resolve() });
    },
  });
  await link.send({ kind: 'listening', port: server.port, nodeId });
  const stop = async (signal: string): Promise<void> => {
    await link.send({ kind: 'leaving' });
    await server.stop(link.stopReason ?? signal);
    if (node !== undefined) await link.send({ kind: 'last-metrics', metrics: await node.snapshot() });
  };
  return { port: server.port, adminPort: undefined, stop };
}

/** `server.listening` means that the whole server is ready, so the primary says it. */
function withoutReadiness(log: LogStream): LogStream {
  return {
    next: (event) => {
      if (event.name !== 'server.listening') log.next(event);
    },
    setLevel: (level) => log.setLevel(level),
    close: () => log.close(),
    get dropped() {
      return log.dropped;
    },
  };
}
