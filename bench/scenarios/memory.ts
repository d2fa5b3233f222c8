import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Figures, Scenario, ServerName } from '../scenario.ts';
import { rssMibOf } from '../support/cpu.ts';
import { settledRssKib } from '../support/idle.ts';
import { LoadProcess } from '../support/load-process.ts';
import { app, type BenchServer, startServer } from '../support/servers.ts';

const unsubscribed = 'no channel';
const subscribed = '1 of 500 channels';

/** What bench/load/collect.js answers: bytes that are in use after a collection. */
interface InUse {
  readonly heapUsed: number;
  readonly external: number;
}

/** What a connection that does nothing holds in memory. */
export const scenario: Scenario = {
  name: 'memory',
  question: 'idle connections: what does each hold in memory?',
  servers: ['spillway', 'ws', 'soketi'],
  cases: () => [unsubscribed, subscribed],
  run: (server, name, { quick }) => hold(server, name === subscribed, quick),
  columns: [
    { figure: 'rssKibPerConnection', title: 'RSS KiB/connection, settled', over: ['ws', 'soketi'] },
    { figure: 'heapKibPerConnection', title: 'heap in use KiB/connection', over: ['ws'] },
    { figure: 'externalKibPerConnection', title: 'external KiB/connection' },
    { figure: 'collectedRssKibPerConnection', title: 'RSS KiB/connection after a forced collection' },
    { figure: 'bareRssMib', title: 'RSS MiB without connections' },
  ],
  targets: [
    {
      name: 'RSS KiB per idle connection with a subscription',
      cases: [subscribed],
      figure: 'rssKibPerConnection',
      of: 'spillway',
      most: 10,
      stretch: 8,
    },
  ],
};

async function hold(name: ServerName, isSubscribed: boolean, quick: boolean): Promise<Figures> {
  const crowd = new LoadProcess('crowd');
  const collector = pathToFileURL(resolve('bench/load/collect.js')).href;
  let server: BenchServer | undefined;
  try {
    server = await startServer(name, { nodeOptions: ['--expose-gc', '--import', collector] });
    // The peer cannot load it.
    const collect = name === 'soketi' ? undefined : inUseOf(server);
    const bareRssMib = rssMibOf(server.pid);
    const bare = await collect?.();
    const count = quick ? 2_000 : 10_000;
    await crowd.ask('open', {
      ...app,
      port: server.port,
      protocol: server.protocol,
      count,
      inFlight: 200,
      channelCount: 500,
      channelsPerSocket: isSubscribed ? 1 : 0,
      prefix: 'lobby-',
    });
    const each = (kib: number): number => (kib - bareRssMib * 1024) / count;
    const settled = each(await settledRssKib(server.pid, quick ? 300 : 9_000));
    const full = await collect?.();
    const less = (read: (one: InUse) => number): number | undefined =>
      bare === undefined || full === undefined ? undefined : (read(full) - read(bare)) / 1024 / count;
    return {
      rssKibPerConnection: settled,
      heapKibPerConnection: less(({ heapUsed }) => heapUsed),
      externalKibPerConnection: less(({ external }) => external),
      collectedRssKibPerConnection: full === undefined ? undefined : each(rssMibOf(server.pid) * 1024),
      bareRssMib,
    };
  } finally {
    await crowd.kill();
    await server?.stop();
  }
}

function inUseOf(server: BenchServer): () => Promise<InUse> {
  return async () => (await server.told('collect')) as InUse;
}
