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
import { warmUp } from './support/warm-up.ts';

type Variant = 'settle' | 'end spillway' | 'end echo' | 'reset spillway' | 'reset echo';

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
  const variants: readonly Variant[] = ['settle', 'end spillway', 'end echo', 'reset spillway', 'reset echo'];
  const results = await inRounds(options.rounds, variants, async (variant): Promise<Slices | undefined> => {
    if (variant !== 'settle')
      return await storm(variant.split(' ') as ['end' | 'reset', 'spillway' | 'echo']);
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

async function storm([way, name]: readonly ['end' | 'reset', 'spillway' | 'echo']): Promise<Slices> {
  const crowd = new LoadProcess('crowd');
  const receiver = new LoadProcess('receiver');
  let server: BenchServer | undefined;
  try {
    const { port: webhookPort } = await receiver.ask<{ port: number }>('listen');
    server = await startServer(name, {
      webhookPort,
      config: { webhooks: { graceMs: 200 } },
      nodeOptions: ['--import', pathToFileURL(resolve('bench/load/probe.js')).href],
    });
    await warmUp(server, way, {
      ...shape,
      count: socketCount,
      ...(name === 'echo' ? { channelsPerSocket: 0 } : {}),
    });
    await crowd.ask('open', {
      ...app,
      ...shape,
      port: server.port,
      protocol: server.protocol,
      count: socketCount,
      inFlight: 200,
      prefix: 'storm-',
    });
    pinHelpers('load', server.pid);
    server.tell('reset');
    await crowd.ask('drop', { way });
    // All is over well within this, and a quiet loop adds nothing to the longest slice.
    await new Promise((done) => setTimeout(done, 4_000));
    return (await server.told('read')) as Slices;
  } finally {
    await Promise.all([crowd.kill(), receiver.kill()]);
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
    { name: 'end: longest own slice, ms', spread: longest('end spillway'), most: 5 },
    { name: 'reset: longest own slice, ms', spread: longest('reset spillway'), most: 5 },
  ]);
}

void run();
