import { readOptions } from './support/options.ts';
import { medianText, say, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import type { ServerName } from './support/servers.ts';
import { ratioOf, spreadOf } from './support/statistics.ts';
import { storm, type Stormed, type Way } from './support/storm.ts';

type Variant = `${Way} ${ServerName}`;

const options = readOptions(['spillway', 'echo', 'soketi']);
const ways: readonly Way[] = ['end', 'reset', 'silent'];
const crowd = { socketCount: options.quick ? 2_000 : 9_500, channelCount: 500, channelsPerSocket: 5 };
/** Silent peers are noticed in up to 2.25 s, so their storm is longer. */
const windowMs = (way: Way): number => (way === 'silent' ? 4_000 : 2_000);

async function run(): Promise<void> {
  sayHeader(
    `${crowd.socketCount} sockets, ${crowd.channelsPerSocket} of ${crowd.channelCount} channels each, gone at once: what does a neighbour notice?`,
  );
  const variants = ways.flatMap((way) =>
    options.servers
      .filter((server) => way !== 'silent' || server !== 'soketi')
      .map((server): Variant => `${way} ${server}`),
  );
  const results = await inRounds(options.rounds, variants, (variant) => {
    const [way, server] = variant.split(' ') as [Way, ServerName];
    return storm(way, server, { ...crowd, windowMs: windowMs(way) });
  });
  report(results);
}

function report(results: ReadonlyMap<Variant, readonly (Stormed | undefined)[]>): void {
  const of = (way: Way, server: ServerName) => results.get(`${way} ${server}`) ?? [];
  const ratios = (
    way: Way,
    read: (one: Stormed) => number,
    other: ServerName,
  ): readonly (number | undefined)[] =>
    of(way, 'spillway').map((one, round) => {
      const peer = of(way, other)[round];
      return one === undefined || peer === undefined ? undefined : ratioOf(read(one), read(peer));
    });
  const rows = [...results].map(([variant, all]) => {
    const column = (read: (one: Stormed) => number | undefined): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.cpuUsPerDisconnect),
      column((one) => one.calmP99),
      column((one) => one.stormP99),
      column((one) => one.stormMax),
      column((one) => one.goneMs),
      column((one) => one.emptyMs),
      column((one) => one.cleanMs),
      column((one) => one.left),
      column((one) => one.vacated),
      column((one) => one.repeats),
      column((one) => one.lost),
      column((one) => one.scrapeMs),
      column((one) => one.crowdCpuShare),
      column((one) => one.neighbourLateMs),
    ];
  });
  sayTable(
    [
      'way, server',
      'CPU us/disconnect',
      'calm p99 ms',
      'storm p99 ms',
      'storm max ms',
      'sockets closed ms',
      'channels empty ms',
      'channels after sockets ms',
      'left over',
      'vacated',
      'told again',
      'lost',
      '/metrics ms',
      'crowd CPU share',
      'neighbour itself late ms',
    ],
    rows,
  );
  say('The timer of soketi for silent peers is 120 s and fixed: there is no row for it.');
  sayTargets(
    ways.flatMap((way) => [
      {
        name: `${way}: storm p99, x bare ws`,
        spread: spreadOf(ratios(way, (one) => one.stormP99, 'echo')),
        most: 1.5,
      },
      ...(way === 'silent'
        ? []
        : [
            {
              name: `${way}: storm p99, x soketi`,
              spread: spreadOf(ratios(way, (one) => one.stormP99, 'soketi')),
              most: 0.35,
            },
          ]),
      {
        name: `${way}: storm p99 ms (stretch)`,
        spread: spreadOf(of(way, 'spillway').map((one) => one?.stormP99)),
        most: 100,
      },
      {
        name: `${way}: channels empty after the last socket, ms`,
        spread: spreadOf(of(way, 'spillway').map((one) => one?.cleanMs)),
        most: 2_000,
      },
    ]),
  );
  say(
    `CPU per disconnect, x bare ws: ${ways.map((way) => `${way} ${medianText(ratios(way, (one) => one.cpuUsPerDisconnect, 'echo'))}`).join(', ')}`,
  );
  say(
    `CPU per disconnect, x soketi: ${ways
      .slice(0, 2)
      .map((way) => `${way} ${medianText(ratios(way, (one) => one.cpuUsPerDisconnect, 'soketi'))}`)
      .join(', ')}`,
  );
}

void run();
