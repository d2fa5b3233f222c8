import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SteadyMap } from '../../../lib/membership/steady-map.ts';

function filled(count: number): SteadyMap<number, object> {
  const map = new SteadyMap<number, object>();
  for (let key = 0; key < count; key++) map.set(key, {});
  return map;
}

describe('a map that empties steadily', () => {
  test('answers as a map does', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.nat({ max: 120 })), {
      maxLength: 600,
    });
    fc.assert(
      fc.property(steps, (taken) => {
        const map = new SteadyMap<number, { readonly at: number }>();
        const model = new Map<number, { readonly at: number }>();
        taken.forEach(([step, key], at) => {
          if (step === 0) expect(map.delete(key)).toBe(model.delete(key));
          else map.set(key, { at });
          if (step !== 0) model.set(key, { at });
          expect([map.size, map.has(key), map.get(key)]).toEqual([
            model.size,
            model.has(key),
            model.get(key),
          ]);
        });
        expect(new Set(map.keys())).toEqual(new Set(model.keys()));
        expect(new Set(map.values())).toEqual(new Set(model.values()));
      }),
    );
  });

  /** What it held in turn while its 100 entries were deleted. */
  function emptied(): readonly number[] {
    const map = filled(100);
    const kept = Array.from({ length: 100 }, (_, key) => {
      map.delete(key);
      return map.kept;
    });
    return [...new Set(kept)];
  }

  test('is rebuilt once while it empties, and lets go of everything with the last', () => {
    expect(emptied()).toEqual([100, expect.any(Number), 0]);
  });

  test('is rebuilt at another size than most of those that empty beside it', () => {
    const rebuiltAt = new Set(Array.from({ length: 32 }, () => emptied()[1]));
    expect([rebuiltAt.size, Math.max(...[...rebuiltAt].map(Number))]).toEqual([8, 16]);
  });

  test('keeps no more deleted keys than others, and a few, where keys come and go', () => {
    const map = filled(1_000);
    for (let key = 1_000; key < 20_000; key++) {
      map.delete(key - 1_000);
      map.set(key, {});
      expect(map.kept).toBeLessThanOrEqual(2 * map.size + 63);
    }
    expect(map.size).toBe(1_000);
  });
});
