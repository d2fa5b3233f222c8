import { EventLog } from './event-log.ts';
import type { RedisServer } from './redis.ts';
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts';

/** Two nodes on one Redis that look like one server: connections are spread over both, the HTTP API is asked on one. */
export interface NodePair extends TestServer {
  readonly nodes: readonly [TestServer, TestServer];
}

let pairs = 0;

/** Each pair has keys of its own, and one log for both nodes. */
export async function startNodePair(redis: RedisServer, options: TestServerOptions = {}): Promise<NodePair> {
  const log = options.log ?? new EventLog();
  const config = {
    ...options.config,
    redis: { url: redis.url, keyPrefix: `pair-${process.pid}-${++pairs}:` },
    cluster: { partitions: 4 },
  };
  const start = (): Promise<TestServer> => startTestServer({ ...options, config, log });
  const nodes = [await start(), await start()] as const;
  let connections = 0;
  return {
    ...nodes[0],
    nodes,
    log,
    get port() {
      return nodes[connections++ % 2 === 0 ? 0 : 1].port;
    },
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
