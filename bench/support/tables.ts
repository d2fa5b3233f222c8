import type { Column, Figures, Goal, Scenario, ServerName } from '../scenario.ts';
import { medianText, type Target } from './report.ts';
import { ratioOf, type Spread, spreadOf } from './statistics.ts';

/** Of one scenario: by case, by server, the figures of each round; null where it was not measured. */
export type Results = Readonly<
  Record<string, Readonly<Partial<Record<ServerName, readonly (Figures | null)[]>>>>
>;

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A row per case and server: medians with their spread, and medians of the ratios within each round. */
export function tableOf({ columns }: Pick<Scenario, 'columns'>, results: Results): Table {
  const shown = columns.map((column) => ({ column, peers: peersOf(column, results) }));
  const head = shown.flatMap(({ column, peers }) => [column.title, ...peers.map((peer) => `x ${peer}`)]);
  const rows = Object.entries(results).flatMap(([name, servers]) =>
    namesOf(servers).map((server) => [
      name,
      server,
      ...shown.flatMap(({ column: { figure }, peers }) => [
        medianText((servers[server] ?? []).map((round) => round?.[figure])),
        ...peers.map((peer) =>
          peer === server ? '' : medianText(ratios(results, name, figure, server, peer)),
        ),
      ]),
    ]),
  );
  return { head: ['case', 'server', ...head], rows };
}

/** Peers that took part in no case have no column. */
function peersOf({ over = [] }: Column, results: Results): readonly ServerName[] {
  return over.filter((peer) => Object.values(results).some((servers) => servers[peer] !== undefined));
}

function namesOf(servers: Results[string]): readonly ServerName[] {
  return Object.keys(servers) as ServerName[];
}

/** one/other in each round in which both were measured. */
function ratios(
  results: Results,
  name: string,
  figure: string,
  one: ServerName,
  other: ServerName,
): readonly (number | undefined)[] {
  const servers = results[name] ?? {};
  return (servers[one] ?? []).map((round, index) =>
    ratioOf(round?.[figure], servers[other]?.[index]?.[figure]),
  );
}

/** What a goal asks of: the figure, or its ratio, in that case; undefined where it was not measured. */
export function spreadOfGoal({ figure, of, over }: Goal, name: string, results: Results): Spread | undefined {
  if (over !== undefined) return spreadOf(ratios(results, name, figure, of, over));
  return spreadOf((results[name]?.[of] ?? []).map((round) => round?.[figure]));
}

/** A target per goal and case that was run; goals of servers that took no part are left out. */
export function targetsOf({ targets }: Pick<Scenario, 'targets'>, results: Results): readonly Target[] {
  return targets.flatMap((goal) =>
    Object.entries(results)
      .filter(([name]) => goal.cases?.includes(name) ?? true)
      .filter(([, servers]) =>
        [goal.of, goal.over ?? goal.of].every((server) => servers[server] !== undefined),
      )
      .map(([name]) => ({
        name: `${goal.name}, ${name}`,
        spread: spreadOfGoal(goal, name, results),
        most: goal.most,
        least: goal.least,
        stretch: goal.stretch,
      })),
  );
}

/** Median ratios of Spillway, by case and column and peer: what two runs on two machines may be compared by. */
export function ratiosOf({ columns }: Pick<Scenario, 'columns'>, results: Results): readonly Ratio[] {
  return Object.keys(results).flatMap((name) =>
    columns.flatMap(({ figure, over = [], better = 'less' }) =>
      over.flatMap((peer) => {
        const spread = spreadOf(ratios(results, name, figure, 'spillway', peer));
        return peer === 'spillway' || spread === undefined
          ? []
          : [{ key: `${name}: ${figure} / ${peer}`, ratio: spread.median, better }];
      }),
    ),
  );
}

export interface Ratio {
  readonly key: string;
  readonly ratio: number;
  readonly better: 'less' | 'more';
}
