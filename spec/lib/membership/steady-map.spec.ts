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

  test('is rebuilt once while 95 of 100 leave, and lets go of everything with the last', () => {
    const map = filled(100);
    const kept: number[] = [];
    for (let key = 0; key < 100; key++) {
      map.delete(key);
      kept.push(map.kept);
    }
    expect([...new Set(kept)]).toEqual([100, 16, 0]);
  });

  test('keeps no more deleted keys than others, and a few, where keys come and go', () => {
    const map = filled(1_000);
    for (let key = 1_000; key < 20_000; key++) {
      map.delete(key - 1_000);
      map.set(key, {});
      expect(map.kept).toBeLessThanOrEqual(2 * map.size + 32);
    }
    expect(map.size).toBe(1_000);
  });
});
