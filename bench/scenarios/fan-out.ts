import type { Column, Figures, Scenario } from '../scenario.ts';
import { clientEventOf } from '../support/client-messages.ts';
import { measured, perDelivery, stopped, underLoad } from '../support/load-run.ts';

const channel = 'private-bench';
const eventBytes = 200;
const oneAtATime = ['N=1000 w=1', 'N=5000 w=1'];
const severalInFlight = ['N=100 w=8', 'N=1000 w=4'];

const columns: readonly Column[] = [
  { figure: 'cpuUs', title: 'CPU us per delivery', over: ['soketi', 'raw', 'ws', 'naive', 'spillway'] },
  { figure: 'userUs', title: 'user us' },
  { figure: 'perSecond', title: 'deliveries/s' },
  { figure: 'p50Ms', title: 'p50 ms' },
  { figure: 'p99Ms', title: 'p99 ms' },
  { figure: 'loadShare', title: 'load busy' },
];

/** A client event to all others on one private channel. */
export const scenario: Scenario = {
  name: 'fan-out',
  question: `what does one delivery of a client event of ${eventBytes} bytes cost, N subscribers, w in flight?`,
  servers: ['spillway', 'guarded', 'naive', 'ws', 'raw', 'soketi'],
  cases: ({ quick }) =>
    quick ? ['N=1000 w=1', 'N=100 w=8'] : ['N=100 w=1', ...oneAtATime, ...severalInFlight],
  columns,
  run: (name, which, { quick }) =>
    underLoad(name, {}, async (server, load): Promise<Figures> => {
      const [subscribers = 0, window = 0] = [...which.matchAll(/\d+/g)].map(Number);
      const { port } = server;
      await load.open({ port, count: subscribers, channel, role: 'receiver' });
      await load.open({ port, count: 1, channel, role: 'sender' });
      await load.publish({ text: clientEventOf(eventBytes, channel.length), window });
      const counted = await measured(
        server,
        load,
        quick ? { warmMs: 300, ms: 700 } : { warmMs: 800, ms: 2500 },
      );
      await stopped(load);
      return perDelivery(counted);
    }),
  targets: [
    {
      name: 'one at a time: CPU x soketi',
      cases: oneAtATime,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'soketi',
      most: 0.7,
      stretch: 0.6,
    },
    {
      name: 'one at a time: CPU x the loop in C',
      cases: oneAtATime,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'raw',
      most: 1.45,
      stretch: 1.3,
    },
    { name: 'one at a time: user us', cases: oneAtATime, figure: 'userUs', of: 'spillway', most: 2.2 },
    {
      name: 'several in flight: CPU x soketi',
      cases: severalInFlight,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'soketi',
      most: 0.35,
      stretch: 0.25,
    },
    {
      name: 'several in flight: CPU x the loop in C',
      cases: severalInFlight,
      figure: 'cpuUs',
      of: 'spillway',
      over: 'raw',
      most: 0.55,
      stretch: 0.45,
    },
    {
      name: 'every guard and a stage: CPU x the bare figures',
      cases: [...oneAtATime, ...severalInFlight],
      figure: 'cpuUs',
      of: 'guarded',
      over: 'spillway',
      most: 1.15,
    },
    {
      name: 'every optimisation off: CPU x with them',
      cases: [...oneAtATime, ...severalInFlight],
      figure: 'cpuUs',
      of: 'naive',
      over: 'spillway',
      least: 3,
    },
  ],
};
