import { describe, expect, it } from '@jest/globals';
import { commandNames } from '../fuzz/frames.ts';
import { digestOf, runFuzz } from '../fuzz/fuzz.ts';
import { endpointNames } from '../fuzz/requests.ts';
import { renderTally } from '../fuzz/tally.ts';

const cases = Number(process.env['FUZZ_CASES'] ?? 100_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_121);

describe('the fuzzer', () => {
  it('makes the same cases of the same seed', () => {
    expect(digestOf({ cases: 1_000, seed })).toBe(digestOf({ cases: 1_000, seed }));
    expect(digestOf({ cases: 1_000, seed })).not.toBe(digestOf({ cases: 1_000, seed: seed + 1 }));
  });

  it(`ends ${cases} cases of seed ${seed} with no crash, no leak, and a neighbour that noticed nothing`, async () => {
    const { tally, seconds, ...end } = await runFuzz({ cases, seed });
    process.stdout.write(`fuzz: seed ${seed}, ${seconds.toFixed(1)} s, ${renderTally(tally)}\n`);

    expect(tally.problems).toEqual([]);
    expect(end).toMatchObject({ left: {}, exitCode: 0, stderr: '', failures: [] });
    expect(end.descriptors.after).toBeLessThanOrEqual(end.descriptors.before);
    expect(end.memory.late - end.memory.early).toBeLessThan(100);

    expect(tally.cases).toBe(cases);
    expect(tally.echoes).toBe(Math.ceil(cases / 100));
    expect(tally.jsonShare).toBeGreaterThan(0.5);
    const rare = [...commandNames, ...endpointNames].filter((kind) => tally.share(kind) < 0.05);
    expect(rare).toEqual([]);
  }, 180_000);
});
