import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Fault } from '../chaos/cluster/faults.ts';
import { real } from '../chaos/cluster/times.ts';
import { takeRedisAway } from './away.ts';
import { dropAll, idle } from './commands.ts';
import { killOneOfThree } from './kill.ts';
import { kills, strikeRedisUnderLoad } from './redis.ts';
import { failOver } from './sentinel.ts';
import { pauseAnOwner } from './stop.ts';
import { inTurn, type Outcome } from './outcome.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    reconnect: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const within15s = { times: real, seed, withinMs: 15_000 };

const cutOff = 'one node cut off';
const redisFaults: Readonly<Record<string, readonly Fault[]>> = {
  'Redis killed': kills(20, 100, 3_000),
  'away for longer than the lease': [
    { kind: 'redis-kill', forMs: 12_000 },
    { kind: 'redis-pause', forMs: 12_000 },
  ],
  'away for about as long as the lease': [6_000, 6_500, 7_000, 7_500, 8_000].map((forMs) => ({
    kind: 'redis-kill',
    forMs,
  })),
  FLUSHALL: Array.from({ length: 5 }, () => ({ kind: 'wipe' })),
  'SCRIPT FLUSH': Array.from({ length: 10 }, () => ({ kind: 'script-flush' })),
  [cutOff]: [5_000, 12_000, 30_000, 60_000].map((forMs, index) => ({
    kind: 'link',
    node: 0,
    state: { kind: index % 2 === 0 ? 'cut' : 'frozen' },
    forMs,
  })),
};

const scenarios: Readonly<Record<string, () => Promise<Outcome>>> = {
  kill: () =>
    killOneOfThree({
      sockets: 5_000,
      channels: 500,
      observed: 20,
      reconnects: values.reconnect,
      times: real,
      withinMs: 14_000,
    }),
  commands: () =>
    inTurn([
      () => dropAll({ sockets: 10_000, channels: 500, mostScripts: 200 }),
      () => idle({ nodes: 1, forMs: 20_000, mostPerSecond: 12 }),
      () => idle({ nodes: 3, forMs: 20_000, mostPerSecond: 12 }),
    ]),
  redis: () =>
    inTurn(
      Object.entries(redisFaults)
        .filter(([name]) => name.includes(values.only))
        .map(
          ([name, faults]) =>
            () =>
              strikeRedisUnderLoad(name, { ...within15s, faults, allLive: name !== cutOff }),
        ),
    ),
  failover: () => failOver(within15s),
  away: () => takeRedisAway({ times: real, awayMs: 10_000 }),
  stop: () => pauseAnOwner({ times: real, stopMs: 30_000 }),
};

const [name = ''] = positionals;
const scenario = scenarios[name];
if (scenario === undefined) {
  process.stderr.write(`expected one of ${Object.keys(scenarios).join(', ')}\n`);
  process.exit(2);
}
const before = loadavg()[0] ?? 0;
const startedMs = performance.now();
const { figures, problems } = await scenario();
for (const [figure, value] of Object.entries(figures))
  process.stdout.write(`${figure.padEnd(28)} ${value}\n`);
for (const problem of problems.slice(0, 20)) process.stdout.write(`PROBLEM ${problem}\n`);
const load = [before, loadavg()[0] ?? 0].map((value) => value.toFixed(1));
const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
process.stdout.write(
  `${name}: ${problems.length} problems, ${seconds} s, load average ${load.join(' to ')}\n`,
);
process.exit(problems.length === 0 ? 0 : 1);
