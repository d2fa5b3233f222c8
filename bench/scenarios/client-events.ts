import type { Figures, Scenario } from '../scenario.ts';
import { clientEventOf } from '../support/client-messages.ts';
import { measured, perDelivery, stopped, underLoad } from '../support/load-run.ts';

const channel = 'private-pair-#';
const short = ['200 B w=1', '200 B w=4'];
const long = ['2 kB w=1', '2 kB w=4'];

/** Many channels with two clients each: one sends, the other receives. */
export const scenario: Scenario = {
  name: 'client-events',
  question:
    'what does a client event with object data cost, from one client to one other, w in flight per pair?',
  servers: ['spillway', 'guarded', 'naive', 'ws', 'raw', 'soketi'],
  cases: ({ quick }) => (quick ? ['200 B w=4', '2 kB w=4'] : [...short, ...long]),
  columns: [
    { figure: 'cpuUs', title: 'CPU us per message', over: ['soketi', 'raw', 'ws', 'naive', 'spillway'] },
    { figure: 'userUs', title: 'user us' },
    { figure: 'perSecond', title: 'messages/s' },
    { figure: 'p50Ms', title: 'p50 ms' },
    { figure: 'p99Ms', title: 'p99 ms' },
    { figure: 'loadShare', title: 'load busy' },
  ],
  run: (name, which, { quick }) =>
    underLoad(name, {}, async (server, load): Promise<Figures> => {
      const { port } = server;
      const count = quick ? 50 : 200;
      const bytes = which.startsWith('2 kB') ? 2048 : 200;
      const window = which.endsWith('w=4') ? 4 : 1;
      await load.open({ port, count, channel, role: 'receiver' });
      await load.open({ port, count, channel, role: 'sender' });
      await load.publish({ text: clientEventOf(bytes, channel.length), window });
      const counted = await measured(
        server,
        load,
        quick ? { warmMs: 1000, ms: 700 } : { warmMs: 1500, ms: 2500 },
      );
      await stopped(load);
      return perDelivery(counted);
    }),
  targets: [
    {
      name: 'CPU x soketi',
      cases: short,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'soketi',
      most: 1.15,
      stretch: 1,
    },
    {
      name: 'CPU x soketi',
      cases: long,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'soketi',
      most: 1,
      stretch: 0.8,
    },
  ],
};
