import { describe, expect, test } from '@jest/globals';
import { isPromise } from '../../../lib/flow/maybe-promise.ts';
import { inSlices } from '../../../lib/flow/slices.ts';
import { ManualClock } from '../manual-clock.ts';

describe('work in slices', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  /** Each item takes a millisecond. */
  function open(items: readonly number[], until = Number.POSITIVE_INFINITY) {
    const clock = new ManualClock();
    const seen: number[] = [];
    const visit = (item: number): boolean => {
      clock.advance(1);
      seen.push(item);
      return item < until;
    };
    return { seen, answer: inSlices(clock, items, visit, () => seen.length) };
  }

  test('that is short is done and answered at once', () => {
    expect(open([1]).answer).toBe(1);
    expect(open([]).answer).toBe(0);
  });

  test('lets others work after two milliseconds, and goes on', async () => {
    const { seen, answer } = open([1, 2, 3, 4, 5]);
    expect([seen, isPromise(answer)]).toEqual([[1, 2], true]);
    await turn();
    expect(seen).toEqual([1, 2, 3, 4]);
    await turn();
    expect(await answer).toBe(5);
  });

  test('ends when it has seen enough', async () => {
    const { seen, answer } = open([1, 2, 3, 4, 5], 3);
    await turn();
    expect([seen, await answer]).toEqual([[1, 2, 3], 3]);
  });

  test('ends what it goes through, when it has seen enough', () => {
    let isEnded = false;
    const items = function* (): Iterable<number> {
      try {
        yield 1;
        yield 2;
      } finally {
        isEnded = true;
      }
    };
    void inSlices(
      new ManualClock(),
      items(),
      () => false,
      () => undefined,
    );
    expect(isEnded).toBe(true);
  });

  test('fails with what a later slice throws', async () => {
    const clock = new ManualClock();
    const visit = (item: number): boolean => {
      clock.advance(1);
      if (item === 3) throw new Error('the third');
      return true;
    };
    const failed = expect(inSlices(clock, [1, 2, 3], visit, () => undefined)).rejects.toThrow('the third');
    await turn();
    await failed;
  });
});
