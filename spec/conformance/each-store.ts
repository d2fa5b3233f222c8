import { randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe } from '@jest/globals';
import { TestApi } from '../support/api.ts';
import { closeClients, type Frame } from '../support/client.ts';
import { createLateStores } from '../support/late-stores.ts';
import { startNodePair } from '../support/node-pair.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../support/server.ts';

/** A running server and a caller of its HTTP API. */
export interface Started extends TestServer {
  readonly api: TestApi;
}

/** Starts a server over the stores of the run. One that a case starts is stopped after the case, others after the run. */
export type Start = (options?: TestServerOptions) => Promise<Started>;

/** A number of one's own brings back the delays of a run that failed: its name says which they were. */
const seed = Number(process.env['SPILLWAY_SPEC_SEED'] ?? randomInt(1, 1_000_000));

/** How servers of a run are started, and where their HTTP API is. */
interface Kind {
  readonly name: string;
  readonly title: string;
  start(options: TestServerOptions): Promise<TestServer & { readonly apiPort?: number }>;
  /** After the run. */
  end?(): Promise<void>;
}

const kinds: readonly Kind[] = [
  { name: 'prompt', title: 'prompt stores', start: startTestServer },
  {
    name: 'late',
    title: `late stores, seed ${seed}`,
    start: (options) =>
      startTestServer({ ...options, start: { createStores: createLateStores(seed), ...options.start } }),
  },
  {
    name: 'general',
    title: 'prompt stores, no short cuts',
    start: ({ config, ...options }) => startTestServer({ ...options, config: withoutShortCuts(config) }),
  },
  twoNodes(),
];

function withoutShortCuts(config: Readonly<Record<string, unknown>> = {}) {
  const server = config['server'] as object | undefined;
  return { ...config, server: { ...server, fastPaths: false } };
}

/** Connections alternate between the nodes; what they publish and ask by HTTP goes to the second one. */
function twoNodes(): Kind {
  let redis: Promise<RedisServer> | undefined;
  return {
    name: 'cluster',
    title: 'two nodes on one Redis',
    start: async (options) => {
      redis ??= startRedis();
      const pair = await startNodePair(await redis, options);
      return Object.defineProperty(pair, 'apiPort', { value: pair.nodes[1].port });
    },
    end: async () => (await redis)?.stop(),
  };
}

/**
 * Declares the cases for stores that answer at once, with every short cut and with none, for stores that answer late, and
 * for two nodes that share a Redis. `SPILLWAY_SPEC_STORES` (`prompt`, `general`, `late` or `cluster`) chooses one. Every
 * client is closed after its case.
 */
export function overEveryStore(declare: (start: Start) => void): void {
  overStoresExcept([], declare);
}

/** As `overEveryStore`, without those of some names. */
export function overStoresExcept(leftOut: readonly string[], declare: (start: Start) => void): void {
  const wanted = process.env['SPILLWAY_SPEC_STORES'] ?? '';
  const chosen = kinds.filter(({ name }) => (wanted === '' || wanted === name) && !leftOut.includes(name));
  describe.each(chosen)('$title', (kind) => {
    const ofRun: Started[] = [];
    const ofCase: Started[] = [];
    let current = ofRun;
    beforeEach(() => {
      current = ofCase;
    });
    afterEach(async () => {
      closeClients();
      current = ofRun;
      await stopAll(ofCase);
    });
    afterAll(async () => {
      await stopAll(ofRun);
      await kind.end?.();
    });
    declare(async (options = {}) => {
      const server = await kind.start(options);
      const api = new TestApi({ ...server, port: server.apiPort ?? server.port });
      const withApi = Object.defineProperty(server, 'api', { value: api }) as Started;
      current.push(withApi);
      return withApi;
    });
  });
}

async function stopAll(servers: Started[]): Promise<void> {
  for (const { api } of servers) api.close();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
}

/** Of two nodes the first alone, for limits that each node has for itself. */
export function oneNode(server: Started): Started {
  return { ...server, port: server.running.port };
}

let rooms = 0;

/** A channel name no other case has, so that cases of one server never meet. */
export function room(prefix = ''): string {
  return `${prefix}room-${++rooms}`;
}

/** The frame as it stood on the wire, nothing added. */
export function wire({ raw }: Frame): unknown {
  return JSON.parse(raw);
}

/** The string-JSON of a frame, parsed. Fails when `data` is not a string. */
export function dataOf({ data, raw }: Frame): unknown {
  if (typeof data !== 'string') throw new Error(`data is not a string: ${raw}`);
  return JSON.parse(data);
}

/** The names of frames, for cases about order. */
export function eventsOf(frames: readonly Frame[]): readonly string[] {
  return frames.map(({ event }) => event);
}
