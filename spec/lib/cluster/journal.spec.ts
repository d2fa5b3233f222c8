import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { Journal } from '../../../lib/cluster/journal.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const entry = (number: number, text = 'x') => ({ number, args: [text], groups: 1 });
const numbersOf = (entries: readonly { readonly number: number }[] | undefined) =>
  entries?.map(({ number }) => number);

describe('a journal', () => {
  test('gives back the batches of a partition in order', () => {
    const journal = new Journal({ maxAgeMs: 1000, maxBytes: 1000 });
    for (const number of [1, 2, 3]) journal.add(0, entry(number));
    journal.add(1, entry(9));
    expect(journal.between(0, 2, 3)).toMatchObject([entry(2), entry(3)]);
    expect(numbersOf(journal.between(0, 4, 3))).toEqual([]);
    expect(journal.between(0, 2, 4)).toBeUndefined();
    expect(journal.between(7, 1, 1)).toBeUndefined();
  });

  test('drops what is too old', () => {
    const journal = new Journal({ maxAgeMs: 1000, maxBytes: 1000 });
    journal.add(0, entry(1));
    jest.advanceTimersByTime(600);
    journal.add(0, entry(2));
    jest.advanceTimersByTime(600);
    journal.trim();
    expect(journal.between(0, 1, 2)).toBeUndefined();
    expect(numbersOf(journal.between(0, 2, 2))).toEqual([2]);
    expect(journal.bytes).toBe(9);
  });

  test('drops the oldest of all partitions when it is too large', () => {
    const journal = new Journal({ maxAgeMs: 1000, maxBytes: 20 });
    journal.add(0, entry(1));
    journal.add(1, entry(1));
    journal.add(1, entry(2));
    expect([journal.between(0, 1, 1), numbersOf(journal.between(1, 1, 2))]).toEqual([undefined, [1, 2]]);
    journal.add(1, entry(3, 'far too long for this journal'));
    expect([journal.between(1, 3, 3), journal.bytes]).toEqual([undefined, 0]);
  });

  test('forgets the batches above a number, which are written again', () => {
    const journal = new Journal({ maxAgeMs: 1000, maxBytes: 1000 });
    for (const number of [1, 2, 3]) journal.add(0, entry(number));
    journal.forgetAbove(0, 1);
    expect(journal.between(0, 1, 2)).toBeUndefined();
    journal.add(0, entry(2, 'again'));
    expect(journal.between(0, 1, 2)).toMatchObject([entry(1), entry(2, 'again')]);
  });

  test('counts its bytes rightly whatever happens, and keeps within its limits', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        partition: fc.nat(2),
        text: fc.string({ maxLength: 30 }),
      }),
      fc.record({ kind: fc.constant('forget' as const), partition: fc.nat(2), above: fc.nat(10) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const journal = new Journal({ maxAgeMs: 1000, maxBytes: 200 });
        const next = [1, 1, 1];
        for (const taken of steps) {
          if (taken.kind === 'wait') jest.advanceTimersByTime(taken.ms);
          else if (taken.kind === 'add')
            journal.add(taken.partition, entry(next[taken.partition]!++, taken.text));
          else {
            journal.forgetAbove(taken.partition, taken.above);
            next[taken.partition] = Math.min(next[taken.partition]!, taken.above + 1);
          }
          expect(journal.bytes).toBeLessThanOrEqual(200);
        }
        const kept = next.flatMap((end, partition) =>
          Array.from({ length: end - 1 }, (_, i) => journal.between(partition, i + 1, i + 1) ?? []).flat(),
        );
        expect(journal.bytes).toBe(kept.reduce((sum, { args }) => sum + 8 + String(args[0]).length, 0));
      }),
    );
  });
});
