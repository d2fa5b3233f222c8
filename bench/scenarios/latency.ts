import type { Figures, Scenario } from '../scenario.ts';
import { clientEventOf } from '../support/client-messages.ts';
import { type Measured, measured, stopped, underLoad } from '../support/load-run.ts';

const channel = 'private-bench';
const subscribers = 1000;
const fixed = `N=${subscribers} 40/s`;
/** Of what that server does when the next event is sent as soon as all have the last one. */
const half = `N=${subscribers} half load`;

/** Events by the clock: an event counts from when it was due. */
export const scenario: Scenario = {
  name: 'latency',
  question: `how long do client events take to ${subscribers} subscribers, at a rate that leaves the server time?`,
  servers: ['spillway', 'guarded', 'naive', 'ws', 'raw', 'soketi'],
  cases: () => [fixed, half],
  columns: [
    { figure: 'p50Ms', title: 'p50 ms', over: ['raw', 'ws', 'soketi', 'naive'] },
    { figure: 'p99Ms', title: 'p99 ms', over: ['raw', 'ws', 'soketi', 'naive'] },
    { figure: 'publishesPerSecond', title: 'events/s' },
    { figure: 'serverShare', title: 'server busy' },
    { figure: 'lateMs', title: 'load late by ms' },
    { figure: 'loadShare', title: 'load busy' },
  ],
  run: (name, which, { quick }) =>
    underLoad(name, {}, async (server, load): Promise<Figures> => {
      const { port } = server;
      const text = clientEventOf(200, channel.length);
      await load.open({ port, count: subscribers, channel, role: 'receiver' });
      await load.open({ port, count: 1, channel, role: 'sender' });

      await load.publish({ text, window: 1 });
      const most = await measured(server, load, quick ? { warmMs: 300, ms: 400 } : { warmMs: 800, ms: 1000 });
      await stopped(load);

      const perSecond = which === fixed ? 40 : publishesPerSecond(most) / 2;
      await load.publish({ text, perSecond });
      const counted = await measured(
        server,
        load,
        quick ? { warmMs: 200, ms: 1000, isPaced: true } : { warmMs: 300, ms: 4000, isPaced: true },
      );
      await stopped(load);
      return {
        p50Ms: counted.p50Us / 1000,
        p99Ms: counted.p99Us / 1000,
        publishesPerSecond: publishesPerSecond(counted),
        serverShare: counted.serverCpuMs / counted.tookMs,
        lateMs: counted.lateUs / 1000,
        loadShare: counted.loadShare,
      };
    }),
  targets: [
    { name: 'p50 x the loop in C', cases: [fixed], figure: 'p50Ms', of: 'spillway', over: 'raw', most: 1.5 },
    { name: 'p99 ms', cases: [fixed], figure: 'p99Ms', of: 'spillway', most: 10 },
  ],
};

function publishesPerSecond({ delivered, tookMs }: Measured): number {
  return (delivered * 1000) / tookMs / subscribers;
}
