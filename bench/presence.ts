import { type Crowded, crowded, observerCount } from './support/crowded.ts';
import { readOptions } from './support/options.ts';
import { medianText, sayHeader, sayTable, sayTargets } from './support/report.ts';
import { inRounds } from './support/rounds.ts';
import type { ServerName } from './support/servers.ts';
import { ratioOf, spreadOf } from './support/statistics.ts';

type Variant = `${ServerName} ${number}`;

const options = readOptions(['spillway', 'soketi']);
const sizes = options.quick ? [250, 500] : [1_000, 2_000, 5_000, 10_000];
const soketiSize = options.quick ? 500 : 2_000;
const [smallest = 0] = sizes;
const largest = sizes.at(-1) ?? 0;

async function run(): Promise<void> {
  sayHeader(`one presence channel: all members leave at once, ${observerCount} observers stay`);
  const variants = [
    ...sizes.map((size): Variant => `spillway ${size}`),
    ...(options.servers.includes('soketi') ? [`soketi ${soketiSize}` as const] : []),
  ];
  report(
    await inRounds(options.rounds, variants, (variant) => {
      const [server, size] = variant.split(' ') as [ServerName, string];
      return crowded(server, Number(size));
    }),
  );
}

function report(results: ReadonlyMap<Variant, readonly (Crowded | undefined)[]>): void {
  const rows = [...results].map(([variant, all]) => {
    const column = (read: (one: Crowded) => number | undefined): string =>
      medianText(all.map((one) => (one === undefined ? undefined : read(one))));
    return [
      variant,
      column((one) => one.leaveCpuMs),
      column((one) => one.leaveMs),
      column((one) => one.leaves?.frames),
      column((one) => one.leaves?.writes),
      column((one) => one.leaves?.passes),
      column((one) => one.removed),
      column((one) => one.repeats),
      column((one) => one.removedWebhooks),
      column((one) => one.joinCpuMs),
      column((one) => one.joinMs),
      column((one) => one.joins?.writes),
      column((one) => one.joins?.passes),
      column((one) => one.joins?.snapshots),
      column((one) => one.rssMib),
      column((one) => one.crowdCpuShare),
    ];
  });
  sayTable(
    [
      'server, members',
      'leave CPU ms',
      'leave ms',
      'frames encoded',
      'writes',
      'passes',
      'removals told',
      'told again',
      'removal webhooks',
      'join CPU ms',
      'join ms',
      'join writes',
      'join passes',
      'snapshots',
      'RSS MiB',
      'crowd CPU share',
    ],
    rows,
  );
  const ratios = (
    read: (one: Crowded) => number,
    one: Variant,
    other: Variant,
  ): readonly (number | undefined)[] =>
    (results.get(one) ?? []).map((mine, round) => {
      const peer = results.get(other)?.[round];
      return mine === undefined || peer === undefined ? undefined : ratioOf(read(mine), read(peer));
    });
  const spread = (read: (one: Crowded) => number, one: Variant, other: Variant) =>
    spreadOf(ratios(read, one, other));
  const times = largest / smallest;
  sayTargets([
    {
      name: `leaving: CPU(${largest}) / CPU(${smallest}), ${times} x the members`,
      spread: spread((one) => one.leaveCpuMs, `spillway ${largest}`, `spillway ${smallest}`),
      most: 1.5 * times,
    },
    {
      name: `leaving: CPU x soketi's at ${soketiSize}`,
      spread: spread((one) => one.leaveCpuMs, `spillway ${soketiSize}`, `soketi ${soketiSize}`),
      most: 0.1,
    },
  ]);
  const join = ratios((one) => one.joinCpuMs, `spillway ${largest}`, `spillway ${smallest}`);
  const joinPeer = ratios((one) => one.joinCpuMs, `spillway ${soketiSize}`, `soketi ${soketiSize}`);
  sayTable(
    ['joining', 'CPU'],
    [
      [`CPU(${largest}) / CPU(${smallest})`, medianText(join)],
      [`CPU x soketi's at ${soketiSize}`, medianText(joinPeer)],
    ],
  );
}

void run();
