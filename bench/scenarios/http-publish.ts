import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figures, Scenario } from '../scenario.ts';
import { publishRequests } from '../support/http-requests.ts';
import { measured, underLoad } from '../support/load-run.ts';
import { app } from '../support/servers.ts';

const channel = 'bench';
const connections = 16;

/** Signed requests to publish, each answered before the next of its connection; one subscriber gets the events. */
export const scenario: Scenario = {
  name: 'http-publish',
  question: `what does POST /events with a signature cost, on ${connections} connections, to a channel with one subscriber?`,
  servers: ['spillway', 'guarded', 'naive', 'soketi'],
  cases: () => ['200 B'],
  columns: [
    { figure: 'cpuUs', title: 'CPU us per request', over: ['soketi', 'naive', 'spillway'] },
    { figure: 'perCpuSecond', title: 'requests per CPU second' },
    { figure: 'userUs', title: 'user us' },
    { figure: 'perSecond', title: 'requests/s' },
    { figure: 'p50Ms', title: 'p50 ms' },
    { figure: 'p99Ms', title: 'p99 ms' },
    { figure: 'reopened', title: 'connections per request' },
    { figure: 'loadShare', title: 'load busy' },
  ],
  run: (name, _, { quick }) =>
    underLoad(name, {}, async (server, load): Promise<Figures> => {
      const folder = mkdtempSync(join(tmpdir(), 'bench-requests-'));
      const file = join(folder, 'requests');
      writeFileSync(file, publishRequests(app, channel, server.port));
      try {
        await load.open({ port: server.port, count: 1, channel, role: 'receiver' });
        await load.request({ port: server.port, connections, file });
        const counted = await measured(
          server,
          load,
          quick ? { warmMs: 1000, ms: 800 } : { warmMs: 2000, ms: 2500 },
        );
        await load.stop();
        if (counted.delivered < counted.answered * 0.9)
          throw new Error(`of ${counted.answered} events ${counted.delivered} arrived`);
        return {
          cpuUs: (counted.serverCpuMs * 1000) / counted.answered,
          perCpuSecond: (counted.answered * 1000) / counted.serverCpuMs,
          userUs: (counted.serverUserMs * 1000) / counted.answered,
          perSecond: (counted.answered * 1000) / counted.tookMs,
          p50Ms: counted.p50Us / 1000,
          p99Ms: counted.p99Us / 1000,
          reopened: counted.reopened / counted.answered,
          loadShare: counted.loadShare,
        };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
  targets: [
    { name: 'requests per CPU second', figure: 'perCpuSecond', of: 'spillway', least: 25_000 },
    { name: 'CPU x soketi', figure: 'cpuUs', of: 'spillway', over: 'soketi', most: 0.6, stretch: 0.45 },
  ],
};
