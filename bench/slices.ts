import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { LoadProcess } from './support/load-process.ts';
import { readOptions } from './support/options.ts';
import { pinHelpers, pinRunning } from './support/pin.ts';
import { medianText, say, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import { app, type BenchServer, startServer } from './support/servers.ts';
import { type SettlingTimes, settlingTimes } from './support/settling.ts';
import { quantileOf, spreadOf } from './support/statistics.ts';
import type { Way } from './support/storm.ts';
import { warmUp } from './support/warm-up.ts';

type Storm = `${Way} ${'spillway' | 'echo'}`;
type Variant = 'settle' | Storm;

/** What bench/load/probe.js answers. */
interface Slices {
  readonly slices: number;
  readonly sliceP99Ms: number;
  /** Less the garbage collection in it, and what kind of callback it was. */
  readonly ownMaxMs: number;
  readonly ownMaxKind: string;
  readonly above1Ms: number;
  readonly above5Ms: number;
  readonly longestCollectionMs: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
}

const ways: readonly Way[] = ['end', 'reset', 'silent'];
const options = readOptions(['spillway', 'echo']);
const socketCount = options.quick ? 2_000 : 9_500;
const batchSize = 64;
const shape = { channelCount: 500, channelsPerSocket: 5 };
const settlesPerRound = 5;
const settled = {
  first: `settle ${batchSize} connections, ${shape.channelsPerSocket} channels each, in new memory stores`,
  second: 'the same once more',
  control: 'for comparison: arithmetic, always the same',
};

async function run(): Promise<void> {
  sayHeader(
    `${socketCount} sockets gone at once: how long is the server's longest uninterrupted piece of work?`,
  );
  const settlings: SettlingTimes[] = [];
  const storms = ways.flatMap((way): Storm[] => [`${way} spillway`, `${way} echo`]);
  const variants: readonly Variant[] = ['settle', ...storms];
  const results = await inRounds(options.rounds, variants, async (variant): Promise<Slices | undefined> => {
    if (variant !== 'settle') return await storm(variant.split(' ') as [Way, 'spillway' | 'echo']);
    pinRunning('server', process.pid);
    pinHelpers('load', process.pid);
    for (let nth = 0; nth < settlesPerRound; nth++) {
      const batches = Math.floor(socketCount / batchSize);
      settlings.push(await settlingTimes({ ...shape, batchSize, batches }));
    }
    pinRunning('both', process.pid);
    return undefined;
  });
  report(settlings, results);
}

/** All is over well within this, and a quiet loop adds nothing to the longest slice. Silence is noticed in 2.25 s. */
const stormMs = (way: Way): number => (way === 'silent' ? 9_000 : 4_000);

async function storm([way, name]: readonly [Way, 'spillway' | 'echo']): Promise<Slices> {
  const crowd = new LoadProcess('crowd');
  const receiver = new LoadProcess('receiver');
  const proxy = way === 'silent' ? new LoadProcess('proxy') : undefined;
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
    server = await startServer(name, {
      webhookPort,
      ...(way === 'silent' ? { silenceMs: 1_000 } : {}),
      config: { webhooks: { graceMs: 200 } },
      nodeOptions: ['--import', pathToFileURL(resolve('bench/load/probe.js')).href],
    });
    await warmUp(server, way === 'reset' ? 'reset' : 'end', {
      ...shape,
      count: socketCount,
      ...(name === 'echo' ? { channelsPerSocket: 0 } : {}),
    });
    const front = await proxy?.ask<{ port: number }>('listen', { target: server.port });
    await crowd.ask('open', {
      ...app,
      ...shape,
      port: front?.port ?? server.port,
      protocol: server.protocol,
      count: socketCount,
      inFlight: 200,
      prefix: 'storm-',
    });
    pinHelpers('load', server.pid);
    server.tell('reset');
    await (proxy === undefined ? crowd.ask('drop', { way }) : proxy.ask('silence'));
    await new Promise((done) => setTimeout(done, stormMs(way)));
    return (await server.told('read')) as Slices;
  } finally {
    const loads = [crowd, receiver, ...(proxy === undefined ? [] : [proxy])];
    await Promise.all(loads.map((load) => load.kill()));
    await server?.stop();
  }
}

/** Of each batch the median of all rounds, longest first: what one round alone met with is left out. */
function byBatch(times: readonly (readonly number[])[]): readonly number[] {
  const [first = []] = times;
  const medians = first.map((_, batch) => spreadOf(times.map((round) => round[batch]))?.median ?? NaN);
  return medians.toSorted((one, other) => other - one);
}

function reportSettling(settlings: readonly SettlingTimes[]): void {
  sayTable(
    ['work', 'p50 ms', 'p99 ms', 'longest ms', 'longest batch by its median ms'],
    (['first', 'second', 'control'] as const).map((which) => {
      const rounds = settlings.map((times) => times[which]);
      const quantile = (share: number): string =>
        medianText(
          rounds.map((times) =>
            quantileOf(
              times.toSorted((one, other) => one - other),
              share,
            ),
          ),
        );
      return [
        settled[which],
        quantile(0.5),
        quantile(0.99),
        quantile(1),
        (byBatch(rounds)[0] ?? NaN).toFixed(2),
      ];
    }),
  );
}

function report(
  settlings: readonly SettlingTimes[],
  results: ReadonlyMap<Variant, readonly (Slices | undefined)[]>,
): void {
  reportSettling(settlings);
  const storms = [...results].filter(([variant]) => variant !== 'settle');
  const rows = storms.map(([variant, all]) => {
    const column = (read: (one: Slices) => number): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.sliceP99Ms),
      column((one) => one.ownMaxMs),
      [...new Set(all.map((one) => one?.ownMaxKind ?? '–'))].join(' '),
      column((one) => one.above1Ms),
      column((one) => one.above5Ms),
      column((one) => one.longestCollectionMs),
      column((one) => one.loopP99Ms),
      column((one) => one.loopMaxMs),
    ];
  });
  sayTable(
    [
      'way, server',
      'slice p99 ms',
      'longest own slice ms',
      'which',
      'slices > 1 ms',
      'slices > 5 ms',
      'longest collection ms',
      'loop delay p99 ms',
      'loop delay max ms',
    ],
    rows,
  );
  say(
    'A turn of the loop handles up to 1,024 sockets, each in a slice of its own: its delay is their sum, for bare ws too.',
  );
  const longest = (variant: Variant) => spreadOf((results.get(variant) ?? []).map((one) => one?.ownMaxMs));
  const slowest = (which: 'first' | 'second') =>
    spreadOf(settlings.map((times) => Math.max(...times[which])));
  sayTargets([
    { name: `settling ${batchSize}, new stores: max ms`, spread: slowest('first'), most: 1 },
    { name: `settling ${batchSize}, once more: max ms`, spread: slowest('second'), most: 1 },
    ...ways.map((way) => ({
      name: `${way}: longest own slice, ms`,
      spread: longest(`${way} spillway`),
      most: 5,
    })),
  ]);
}

void run();
