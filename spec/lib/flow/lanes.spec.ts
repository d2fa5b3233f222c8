import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type LaneLimits, Lanes } from '../../../lib/flow/lanes.ts';
import type { MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import { later, settled } from './promises.ts';

function open(limits: Partial<LaneLimits<string>> = {}) {
  const lanes = new Lanes<string>({ maxWaitingPerKey: 100, ...limits });
  const seen: string[] = [];
  const now = (item: string): void => {
    seen.push(item);
  };
  return { lanes, seen, now };
}

describe('synchronous work', () => {
  test('is done before run returns', () => {
    const { lanes, seen, now } = open();
    lanes.run('k', 'a', now);
    lanes.run('k', 'b', now);
    lanes.run('l', 'c', now);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect([lanes.busy, lanes.depth]).toEqual([0, 0]);
  });

  test('of another key is not held up by one that waits', () => {
    const { lanes, seen, now } = open();
    lanes.run('k', 'a', () => later().promise);
    lanes.run('l', 'b', now);
    expect(seen).toEqual(['b']);
  });

  test('behind a promise of its key waits for it', async () => {
    const { lanes, seen, now } = open();
    const answer = later();
    lanes.run('k', 'a', () => answer.promise);
    lanes.run('k', 'b', now);
    lanes.run('k', 'c', now);
    await settled();
    expect(seen).toEqual([]);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['b', 'c']);
  });
});

describe('lanes', () => {
  test('run one promise of a key after the other', async () => {
    const { lanes, seen } = open();
    const answers = [later(), later()];
    const work = (item: number) => {
      seen.push(`${item} begins`);
      return answers[item]!.promise;
    };
    lanes.run('k', 0, work);
    lanes.run('k', 1, work);
    await settled();
    expect(seen).toEqual(['0 begins']);
    answers[0]!.resolve();
    await settled();
    expect(seen).toEqual(['0 begins', '1 begins']);
    lanes.run('k', 2, () => void seen.push('2'));
    answers[1]!.resolve();
    await settled();
    expect(seen).toEqual(['0 begins', '1 begins', '2']);
  });

  test('count the items that wait and the keys that are busy', async () => {
    const { lanes, now } = open();
    const [k, l] = [later(), later()];
    lanes.run('k', 'a', () => k.promise);
    lanes.run('k', 'b', now);
    lanes.run('k', 'c', now);
    lanes.run('l', 'd', () => l.promise);
    lanes.run('l', 'e', now);
    expect([lanes.busy, lanes.depth]).toEqual([2, 3]);
    k.resolve();
    await settled();
    expect([lanes.busy, lanes.depth]).toEqual([1, 1]);
    l.resolve();
    await settled();
    expect([lanes.busy, lanes.depth]).toEqual([0, 0]);
  });

  test('go on with a key whose promise was rejected', async () => {
    const { lanes, seen, now } = open();
    const answer = later();
    lanes.run('k', 'a', () => answer.promise);
    lanes.run('k', 'b', now);
    answer.reject(new Error('lost'));
    await settled();
    expect(seen).toEqual(['b']);
    expect(lanes.busy).toBe(0);
  });

  test('hold what work sends to its own busy key until it is its turn', async () => {
    const { lanes, seen, now } = open();
    const answer = later();
    lanes.run('k', 'a', () => answer.promise);
    lanes.run('k', 'b', (item) => {
      lanes.run('k', 'd', now);
      seen.push(item);
    });
    lanes.run('k', 'c', now);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['b', 'c', 'd']);
  });

  test('keep a key busy until every promise is there when work sends more to its own key', async () => {
    const { lanes, seen, now } = open();
    const [outer, inner] = [later(), later()];
    lanes.run('k', 'a', () => {
      lanes.run('k', 'b', () => inner.promise);
      return outer.promise;
    });
    lanes.run('k', 'c', now);
    inner.resolve();
    await settled();
    expect(seen).toEqual([]);
    lanes.run('k', 'd', now);
    outer.resolve();
    await settled();
    expect(seen).toEqual(['c', 'd']);
    expect([lanes.busy, lanes.depth]).toEqual([0, 0]);
  });

  test('cost no stack: a hundred thousand items behind one promise pass in one go', async () => {
    const { lanes } = open({ maxWaitingPerKey: 1_000_000 });
    const answer = later();
    let count = 0;
    lanes.run('k', 0, () => answer.promise);
    const work = (): void => {
      count++;
    };
    for (let i = 0; i < 100_000; i++) lanes.run('k', i, work);
    answer.resolve();
    await settled();
    expect(count).toBe(100_000);
  });
});

describe('a key with too many items waiting', () => {
  function counting(maxWaitingPerKey: number) {
    const calls: string[] = [];
    const opened = open({
      maxWaitingPerKey,
      onFull: (key, waiting) => calls.push(`${key} full at ${waiting}`),
      onDrained: (key) => calls.push(`${key} drained`),
    });
    return { ...opened, calls };
  }

  test('is reported exactly at the cap, once, and still runs every item', async () => {
    const { lanes, seen, now, calls } = counting(3);
    const answer = later();
    lanes.run('k', 'a', () => answer.promise);
    lanes.run('k', 'b', now);
    lanes.run('k', 'c', now);
    expect(calls).toEqual([]);
    lanes.run('k', 'd', now);
    expect(calls).toEqual(['k full at 3']);
    lanes.run('k', 'e', now);
    expect(calls).toEqual(['k full at 3']);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['b', 'c', 'd', 'e']);
  });

  test('is reported as drained once, after its last item', async () => {
    const { lanes, now, calls } = counting(1);
    const [first, last] = [later(), later()];
    lanes.run('k', 'a', () => first.promise);
    lanes.run('k', 'b', now);
    lanes.run('k', 'c', () => last.promise);
    first.resolve();
    await settled();
    expect(calls).toEqual(['k full at 1']);
    last.resolve();
    await settled();
    expect(calls).toEqual(['k full at 1', 'k drained']);
  });

  test('may fill again after it drained', async () => {
    const { lanes, now, calls } = counting(1);
    for (let round = 0; round < 2; round++) {
      const answer = later();
      lanes.run('k', 'a', () => answer.promise);
      lanes.run('k', 'b', now);
      answer.resolve();
      await settled();
    }
    expect(calls).toEqual(['k full at 1', 'k drained', 'k full at 1', 'k drained']);
  });

  test('does not make another key full', async () => {
    const { lanes, now, calls } = counting(2);
    const [k, l] = [later(), later()];
    lanes.run('k', 'a', () => k.promise);
    lanes.run('l', 'b', () => l.promise);
    lanes.run('k', 'c', now);
    lanes.run('l', 'd', now);
    k.resolve();
    l.resolve();
    await settled();
    expect(calls).toEqual([]);
  });
});

describe('for any answers, early or late', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const item = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    gap: fc.nat(3),
    /** Nothing: synchronous. */
    takes: fc.option(fc.nat(10), { nil: undefined }),
    fails: fc.boolean(),
  });

  test('lanes keep the order per key, run one item at a time, and lose nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 30 }), async (list) => {
        const fulls: string[] = [];
        const lanes = new Lanes<string>({
          maxWaitingPerKey: 3,
          onFull: (key) => fulls.push(key),
          onDrained: (key) => fulls.splice(fulls.indexOf(key), 1),
        });
        const busy = new Set<string>();
        const overlaps: number[] = [];
        const out: { key: string; id: number }[] = [];
        for (const [id, one] of list.entries()) {
          await jest.advanceTimersByTimeAsync(one.gap);
          lanes.run(one.key, id, (): MaybePromise<void> => {
            if (busy.has(one.key)) overlaps.push(id);
            out.push({ key: one.key, id });
            if (one.takes === undefined) return;
            busy.add(one.key);
            return new Promise((resolve, reject) => {
              setTimeout(() => {
                busy.delete(one.key);
                if (one.fails) reject(new Error('failed'));
                else resolve();
              }, one.takes);
            });
          });
          expect(new Set(fulls).size).toBe(fulls.length);
        }
        await jest.runAllTimersAsync();
        for (const key of ['a', 'b', 'c']) {
          const ids = out.filter((one) => one.key === key).map((one) => one.id);
          expect(ids).toEqual(list.flatMap((one, id) => (one.key === key ? [id] : [])));
        }
        expect(overlaps).toEqual([]);
        expect([lanes.busy, lanes.depth, fulls]).toEqual([0, 0, []]);
      }),
    );
  });
});
