import { expect, it } from '@jest/globals';
import { compareFastPaths } from '../fuzz/fast-paths.ts';

const cases = Number(process.env['FUZZ_CASES'] ?? 20_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_121);

it(`peers and senders hear the same of ${cases} client events with the fast paths on and off`, async () => {
  const { delivered, refused, difference } = await compareFastPaths({ cases, seed });
  process.stdout.write(`fast paths: seed ${seed}, ${delivered} delivered, ${refused} refused\n`);
  expect(difference).toBeUndefined();
  expect(delivered).toBeGreaterThan(cases / 2);
  expect(refused).toBeGreaterThan(cases / 20);
}, 180_000);
