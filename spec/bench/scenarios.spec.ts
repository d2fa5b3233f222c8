import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Scenario } from '../../bench/scenario.ts';
import { loadScenarios } from '../../bench/scenarios/index.ts';

let scenarios: readonly Scenario[];

beforeAll(async () => {
  scenarios = await loadScenarios([]);
});

const asked = { rounds: 1, servers: [] };
const each = <Value>(read: (scenario: Scenario) => readonly Value[]): readonly (readonly [string, Value])[] =>
  scenarios.flatMap((scenario) => read(scenario).map((value) => [scenario.name, value] as const));

describe('the scenarios', () => {
  test('are found, and have the names of their files', async () => {
    expect(scenarios.length).toBeGreaterThan(3);
    expect((await loadScenarios(['latency', 'fan-out'])).map(({ name }) => name)).toEqual([
      'fan-out',
      'latency',
    ]);
    await expect(loadScenarios(['nothing'])).rejects.toThrow('there is no scenario nothing');
  });

  test('have cases in both sizes, and a place for their table', () => {
    const document = readFileSync('BENCHMARKS.md', 'utf8');
    const without = scenarios.filter(
      ({ name, cases }) =>
        cases({ ...asked, quick: true }).length === 0 ||
        cases({ ...asked, quick: false }).length === 0 ||
        !document.includes(`<!-- bench:${name} -->`),
    );
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  test('have targets of figures, servers and cases that they measure', () => {
    const astray = each(({ columns, servers, cases, targets }) => {
      const all = cases({ ...asked, quick: false });
      const figures = columns.map(({ figure }) => figure);
      return targets.filter(
        (goal) =>
          !figures.includes(goal.figure) ||
          !servers.includes(goal.of) ||
          !servers.includes(goal.over ?? goal.of) ||
          !(goal.cases ?? []).every((name) => all.includes(name)) ||
          (goal.most === undefined) === (goal.least === undefined),
      );
    });
    expect(astray).toEqual([]);
  });
});
