// Everything that can be checked about a checkout, and one closing line. Steps that fail do not hide the later ones.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const folder = mkdtempSync(join(tmpdir(), 'spillway-test-'));
const report = join(folder, 'jest.json');
const tally = { passed: 0, failed: 0 };

step('setup', 'bash', ['scripts/setup-tests.sh']);
step('lint', 'npm', ['run', '--silent', 'lint']);
step('types', 'npm', ['run', '--silent', 'types']);
if (step('build', 'npm', ['run', '--silent', 'build'])) {
  const isGreen = run('npx', ['jest', '--json', `--outputFile=${report}`, '--testLocationInResults=false']);
  addJest(isGreen);
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
process.exit(tally.failed === 0 ? 0 : 1);

function step(name, command, args) {
  const isGreen = run(command, args);
  process.stdout.write(`${name}: ${isGreen ? 'ok' : 'FAILED'}\n`);
  tally[isGreen ? 'passed' : 'failed']++;
  return isGreen;
}

function run(command, args) {
  const stdio = ['ignore', command === 'npx' ? 'ignore' : 'inherit', 'inherit'];
  return spawnSync(command, args, { stdio }).status === 0;
}

function addJest(isGreen) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8'));
  } catch (error) {
    process.stdout.write(`jest wrote no report: ${error.message}\n`);
    tally.failed++;
    return;
  }
  tally.passed += results.numPassedTests;
  tally.failed += results.numFailedTests + results.numRuntimeErrorTestSuites;
  if (!isGreen && tally.failed === 0) tally.failed++;
}
