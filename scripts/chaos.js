// `npm run chaos -- --seed 1 --minutes 5`: the property of spec/chaos for that long, and the long forms of the specs that
// take a seed or a length: users who flap, receivers that misbehave, stops under load.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, minutes: { type: 'string', default: '1' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const minutes = Number(values.minutes);
if (!Number.isInteger(seed) || !(minutes >= 0)) {
  process.stderr.write('expected --seed WHOLE_NUMBER and --minutes NUMBER\n');
  process.exit(2);
}
process.stdout.write(`seed ${seed}\n`);
const specs = ['chaos', 'integration/flapping', 'integration/bad-receiver', 'integration/stop-under-load'];
const { status } = spawnSync(
  'npx',
  ['jest', ...specs.map((name) => `spec/${name}`), '--selectProjects', 'integration', '--runInBand'],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      CHAOS_SEED: String(seed),
      CHAOS_MINUTES: String(minutes),
      FLAPPING_SECONDS: '20',
      BAD_RECEIVER_SECONDS: '15',
    },
  },
);
process.exit(status ?? 1);
