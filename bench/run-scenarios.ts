import { performance } from 'node:perf_hooks';
import type { BenchOptions, Figures, Scenario, ServerName } from './scenario.ts';
import { commit, machine } from './support/machine.ts';
import { say, sayTable, sayTargets } from './support/report.ts';
import type { Run } from './support/results.ts';
import { inRounds } from './support/rounds.ts';
import { type Results, tableOf, targetsOf } from './support/tables.ts';

/** Runs these scenarios one after the other, prints a table and the targets of each, and answers all figures. */
export async function runScenarios(scenarios: readonly Scenario[], options: BenchOptions): Promise<Run> {
  const startedMs = performance.now();
  const startedAt = new Date().toISOString();
  const results: Record<string, Results> = {};
  for (const scenario of scenarios) {
    say(`\n## ${scenario.name}: ${scenario.question}\n`);
    const own = await resultsOf(scenario, options);
    results[scenario.name] = own;
    const { head, rows } = tableOf(scenario, own);
    sayTable(head, rows);
    sayTargets(targetsOf(scenario, own));
  }
  const { rounds, quick, casePrefix } = options;
  const tookS = Math.round((performance.now() - startedMs) / 1000);
  return {
    startedAt,
    tookS,
    machine: machine(),
    node: process.version,
    commit: commit(),
    rounds,
    quick,
    casePrefix,
    scenarios: results,
  };
}

interface Place {
  readonly name: string;
  readonly server: ServerName;
}

/** Every case of every server once per round; the servers of a case follow each other. */
async function resultsOf(scenario: Scenario, options: BenchOptions): Promise<Results> {
  const places = new Map<string, Place>();
  const isWanted = (name: string): boolean => name.startsWith(options.casePrefix ?? '');
  for (const name of scenario.cases(options).filter(isWanted))
    for (const server of scenario.servers)
      if (options.servers.includes(server)) places.set(`${name} ${server}`, { name, server });
  const measured = await inRounds(options.rounds, [...places.keys()], (key) => {
    const place = places.get(key);
    return place === undefined ? Promise.resolve(undefined) : scenario.run(place.server, place.name, options);
  });
  const results: Record<string, Partial<Record<ServerName, (Figures | null)[]>>> = {};
  for (const [key, { name, server }] of places) {
    const rounds = (measured.get(key) ?? []).map((figures) => figures ?? null);
    results[name] = { ...results[name], [server]: rounds };
  }
  return results;
}
