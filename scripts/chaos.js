// `npm run chaos -- --seed 1 --minutes 5`: the property of spec/chaos for that long, and the long forms of the specs that
// take a seed or a length: users who flap, receivers that misbehave, stops under load.
// With `--cluster`: several nodes as processes beside one Redis, and every fault (spec/chaos/cluster), one trial for each
// seed from that one on, for that long or `--trials` of them; `--kinds kills`: a kill each and nothing else; `--real`: at
// the times of the product instead of about a tenth; `--side-by-side`: so many clusters at once.
// With `--simulate`: whole clusters in virtual time over a model of the store (spec/chaos/simulation), story after story
// from that seed on, for that long.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    cluster: { type: 'boolean', default: false },
    simulate: { type: 'boolean', default: false },
    trials: { type: 'string' },
    kinds: { type: 'string', default: 'all' },
    real: { type: 'boolean', default: false },
    'side-by-side': { type: 'string', default: '2' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const minutes = Number(values.minutes ?? (values.trials === undefined ? 1 : 0));
const trials = Number(values.trials ?? 1);
const sideBySide = Number(values['side-by-side']);
if (!Number.isInteger(seed) || !(minutes >= 0)) refuse('expected --seed WHOLE_NUMBER and --minutes NUMBER');
if (!(trials >= 1 && sideBySide >= 1)) refuse('expected --trials and --side-by-side to be 1 or more');
if (!['all', 'kills'].includes(values.kinds)) refuse('expected --kinds all or --kinds kills');
process.stdout.write(`seed ${seed}\n`);
const { status } = spawnSync('npx', ['jest', ...argsOfJest()], {
  stdio: 'inherit',
  env: {
    ...process.env,
    CHAOS_SEED: String(seed),
    CHAOS_MINUTES: String(minutes),
    CHAOS_TRIALS: String(trials),
    CHAOS_KINDS: values.kinds,
    CHAOS_REAL: values.real ? '1' : '0',
    CHAOS_SIDE_BY_SIDE: String(sideBySide),
    FLAPPING_SECONDS: '20',
    BAD_RECEIVER_SECONDS: '15',
  },
});
process.exit(status ?? 1);

function argsOfJest() {
  if (values.cluster) return clusterArgs();
  return values.simulate ? simulationArgs() : specArgs();
}

function simulationArgs() {
  return [
    'spec/chaos/simulation.spec',
    '--selectProjects',
    'integration',
    '--testNamePattern',
    'keeps its promises',
  ];
}

function clusterArgs() {
  return ['spec/chaos/cluster/cluster', '--selectProjects', 'integration', '--testNamePattern', 'trials'];
}

function specArgs() {
  const specs = ['chaos', 'integration/flapping', 'integration/bad-receiver', 'integration/stop-under-load'];
  return [
    ...specs.map((name) => `spec/${name}`),
    ...['--selectProjects', 'integration', '--runInBand'],
    ...['--testPathIgnorePatterns', 'spec/chaos/cluster/cluster', 'spec/chaos/simulation.spec'],
  ];
}

function refuse(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}
