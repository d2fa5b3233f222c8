import { parseArgs } from 'node:util';
import { runScenarios } from './run-scenarios.ts';
import { loadScenarios } from './scenarios/index.ts';
import { commonFlags, optionsFrom } from './support/options.ts';
import { say, sayHeader } from './support/report.ts';
import { latestFile, writeRun } from './support/results.ts';

/** `--quick`, `--rounds N`, `--only fan-out,latency`, `--case 'N=1000'`, `--no-soketi`, `--naive`, `--to FILE`. */
async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      ...commonFlags,
      only: { type: 'string', default: '' },
      case: { type: 'string' },
      naive: { type: 'boolean', default: false },
      to: { type: 'string', default: latestFile },
    },
  });
  const scenarios = await loadScenarios(values.only.split(',').filter((name) => name !== ''));
  const servers = new Set(scenarios.flatMap((scenario) => scenario.servers));
  if (!values.naive) servers.delete('naive');
  const options = { ...optionsFrom(values, [...servers]), casePrefix: values.case };
  sayHeader('what Spillway costs, and others beside it');
  if (options.quick) say('--quick: small sizes and short runs show that it runs, not how fast it is');
  const results = await runScenarios(scenarios, options);
  writeRun(values.to, results);
  say(`\n${results.tookS} s; all figures are in ${values.to}`);
}

await run();
