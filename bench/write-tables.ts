import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Scenario } from './scenario.ts';
import { loadScenarios } from './scenarios/index.ts';
import { withMarked } from './support/marked.ts';
import { boundText, say, spreadText, tableText, verdictOf } from './support/report.ts';
import { latestFile, readRun, type Run } from './support/results.ts';
import { tableOf, targetsOf } from './support/tables.ts';

const document = 'BENCHMARKS.md';

/** Writes the tables of a run (`--from FILE`, default the latest) into BENCHMARKS.md; those of other scenarios stay. */
async function write(): Promise<void> {
  const { values } = parseArgs({ options: { from: { type: 'string', default: latestFile } } });
  const run = readRun(values.from);
  if (run.quick) throw new Error('a run with --quick shows that it runs, not how fast it is');
  if (run.casePrefix !== undefined)
    throw new Error(`a table has all its cases; this run has only ${run.casePrefix}`);
  const scenarios = await loadScenarios(Object.keys(run.scenarios));
  const texts = new Map(scenarios.map((scenario) => [scenario.name, textOf(scenario, run)]));
  writeFileSync(document, withMarked(readFileSync(document, 'utf8'), texts));
  say(`${document} has the tables of ${run.startedAt}`);
}

function runText({ machine, node, commit, rounds, startedAt }: Run): string {
  return `${startedAt.slice(0, 10)}, commit ${commit}, ${rounds} rounds; ${machine}, Node ${node}.`;
}

function textOf(scenario: Scenario, run: Run): string {
  const results = run.scenarios[scenario.name] ?? {};
  const { head, rows } = tableOf(scenario, results);
  const targets = targetsOf(scenario, results).map((target) => [
    target.name,
    spreadText(target.spread),
    boundText(target),
    verdictOf(target),
  ]);
  const table = `${runText(run)}\n\n${tableText(head, rows)}`;
  return targets.length === 0
    ? table
    : `${table}\n\n${tableText(['target', 'measured', 'asked (stretch)', ''], targets)}`;
}

await write();
