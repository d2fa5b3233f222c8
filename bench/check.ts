import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runScenarios } from './run-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { loadScenarios } from './scenarios/index.ts';
import { type Baseline, compared, tolerance } from './support/baseline.ts';
import { commonFlags, optionsFrom } from './support/options.ts';
import { number, say, sayHeader, sayTable } from './support/report.ts';
import { readRun, type Run } from './support/results.ts';
import { ratiosOf } from './support/tables.ts';

const baselineFile = 'bench/baseline.json';
/** What answers within minutes, and whose ratios are of processor time: they depend less on what else a machine does. */
const defaultScenarios = 'fan-out,client-events,http-publish';
const defaultRounds = '3';
/** Measured: the same commit on an AMD EPYC and an Intel Xeon (BENCHMARKS.md). */
const otherMachine =
  'Where the kernel is cheaper, what a server does itself weighs more: the same commit has had ratios 1.4 to 1.8 times as high.';

/**
 * Compares ratios to the peers with the committed ones. `--from FILE` takes those of a run that was; `--write` makes
 * them the baseline.
 */
async function check(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'no-soketi': commonFlags['no-soketi'],
      rounds: { type: 'string', default: defaultRounds },
      only: { type: 'string', default: defaultScenarios },
      from: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  if (!values.write && !existsSync(baselineFile))
    throw new Error(`there is no ${baselineFile} to compare with: --write makes one`);
  const run = values.from === undefined ? await measure(values) : readRun(values.from);
  const scenarios = await loadScenarios(Object.keys(run.scenarios));
  if (values.write) write(run, scenarios);
  else process.exitCode = report(run, scenarios) ? 0 : 1;
}

async function measure(values: {
  readonly only: string;
  readonly rounds: string;
  readonly 'no-soketi': boolean;
}): Promise<Run> {
  const scenarios = await loadScenarios(values.only.split(','));
  const servers = new Set(scenarios.flatMap((scenario) => scenario.servers));
  servers.delete('naive');
  const options = optionsFrom({ ...values, quick: true }, [...servers]);
  sayHeader('has a ratio to the peers become worse?');
  return runScenarios(scenarios, options);
}

function write(run: Run, scenarios: readonly Scenario[]): void {
  const ratios = scenarios.map((scenario) => {
    const own = ratiosOf(scenario, run.scenarios[scenario.name] ?? {});
    return [scenario.name, Object.fromEntries(own.map(({ key, ratio }) => [key, Number(ratio.toFixed(3))]))];
  });
  const { commit, machine } = run;
  const baseline: Baseline = { commit, machine, ratios: Object.fromEntries(ratios) as Baseline['ratios'] };
  writeFileSync(baselineFile, `${JSON.stringify(baseline, null, 2)}\n`);
  say(`\n${baselineFile} is written`);
}

/** Answers whether nothing became worse. */
function report(run: Run, scenarios: readonly Scenario[]): boolean {
  const baseline = JSON.parse(readFileSync(baselineFile, 'utf8')) as Baseline;
  if (baseline.machine !== run.machine)
    say(`\nThe baseline is of another machine, ${baseline.machine}. ${otherMachine}`);
  const all = scenarios.flatMap((scenario) => {
    const own = ratiosOf(scenario, run.scenarios[scenario.name] ?? {});
    const rows = compared(baseline.ratios[scenario.name] ?? {}, own);
    return rows.map((row) => ({ ...row, scenario: scenario.name }));
  });
  sayTable(
    ['scenario', 'ratio', `at ${baseline.commit}`, 'now', ''],
    all.map(({ scenario, key, before, now, isWorse }) => [
      scenario,
      key,
      number(before),
      now === undefined ? 'not measured' : number(now),
      isWorse ? 'WORSE' : '',
    ]),
  );
  const worse = all.filter(({ isWorse }) => isWorse).length;
  const measured = all.filter(({ now }) => now !== undefined).length;
  const percent = Math.round((tolerance - 1) * 100);
  say(`${worse} of ${measured} ratios are more than ${percent} % worse than in ${baselineFile}`);
  return worse === 0;
}

await check();
