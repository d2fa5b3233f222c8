import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { concatMap, delay, from, map, of, range, Subject, toArray } from 'rxjs';
import { type Batch, batchBy } from '../../../lib/flow/batch-by.ts';
import { marbles } from './marbles.ts';

describe('batchBy', () => {
  test('closes a batch when it is full', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-c-d-e-f-----');
      const expected = '    ---x---y---z-----';
      const values = { x: ['a', 'b'], y: ['c', 'd'], z: ['e', 'f'] };
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 50 }))).toBe(expected, values);
    });
  });

  test('closes a partial batch when its time is up', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b---------------');
      const expected = '    ------x------------';
      const values = { x: ['a', 'b'] };
      expectObservable(source$.pipe(batchBy({ maxSize: 9, maxWaitMs: 5 }))).toBe(expected, values);
    });
  });

  test('closes a partial batch when the source completes', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-b-|     ');
      const subs = '        ^----!     ';
      const expected = '    -----(x|)  ';
      const values = { x: ['a', 'b'] };
      expectObservable(source$.pipe(batchBy({ maxSize: 9, maxWaitMs: 50 }))).toBe(expected, values);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('closes by size, by time and at completion, whichever comes first', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' --a-b-c-----d---|   ');
      const expected = '    ----x---y-------(z|)';
      const values = { x: ['a', 'b'], y: ['c'], z: ['d'] };
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 6 }))).toBe(expected, values);
    });
  });

  test('lets a lone item go within `maxWaitMs`', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' ---a-----------');
      const expected = '    --------x------';
      expectObservable(source$.pipe(batchBy({ maxSize: 64, maxWaitMs: 5 }))).toBe(expected, { x: ['a'] });
    });
  });

  test('makes no empty batch when its time is up right after a full one', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-----------|');
      const expected = '    ---x-----------|';
      const values = { x: ['a', 'b'] };
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5 }))).toBe(expected, values);
    });
  });

  test('makes no batch of a source that completes empty', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' ---|');
      const expected = '    ---|';
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 1 }))).toBe(expected);
    });
  });

  test('passes an error on at once', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-#');
      const expected = '    ---#';
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 50 }))).toBe(expected);
    });
  });

  test('passes on what its key function throws', () => {
    const broken = new Error('broken');
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-');
      const expected = '    -#    ';
      const by = () => {
        throw broken;
      };
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 50, by }))).toBe(expected, {}, broken);
    });
  });

  test('never lets items of different keys share a batch, and gives each key its own time', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-A----a-------');
      const expected = '    -----x--y------z--';
      const values = { x: ['a', 'A'], y: ['b'], z: ['a'] };
      const by = (item: string) => item.toLowerCase();
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5, by }))).toBe(expected, values);
    });
  });

  test('lets the source go, and makes no batch, when it is unsubscribed', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-----------');
      const subs = '        ^--!         ';
      const unsub = '       ---!         ';
      const expected = '    ---          ';
      expectObservable(source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5 })), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('makes 64, 64, 64 and 58 of 250 events', () => {
    const sizes: number[] = [];
    range(0, 250)
      .pipe(batchBy({ maxSize: 64, maxWaitMs: 50 }))
      .subscribe((batch) => sizes.push(batch.length));
    expect(sizes).toEqual([64, 64, 64, 58]);
  });

  test('keeps an item that comes while its batch closes by time', () => {
    marbles(({ flush, now }) => {
      const source$ = new Subject<string>();
      const seen: unknown[] = [];
      source$.pipe(batchBy({ maxSize: 9, maxWaitMs: 5 })).subscribe((batch) => {
        seen.push([now(), ...batch]);
        if (batch[0] === 'a') source$.next('b');
      });
      source$.next('a');
      flush();
      expect(seen).toEqual([
        [5, 'a'],
        [10, 'b'],
      ]);
    });
  });

  test('keeps an item that comes while its batch closes by size', () => {
    const source$ = new Subject<string>();
    const seen: unknown[] = [];
    source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5 })).subscribe((batch) => {
      seen.push(batch);
      if (batch[0] === 'a') source$.next('c');
    });
    source$.next('a');
    source$.next('b');
    source$.complete();
    expect(seen).toEqual([['a', 'b'], ['c']]);
  });
});

describe('an idle stream', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('never wakes: no timer runs before an item and none after its batch', () => {
    const source$ = new Subject<string>();
    const subscription = source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5 })).subscribe();
    expect(jest.getTimerCount()).toBe(0);
    source$.next('a');
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(5);
    expect(jest.getTimerCount()).toBe(0);
    subscription.unsubscribe();
  });

  test.each(['complete', 'unsubscribe'] as const)('leaves no timer behind after %s', (end) => {
    const source$ = new Subject<string>();
    const subscription = source$.pipe(batchBy({ maxSize: 2, maxWaitMs: 5 })).subscribe();
    source$.next('a');
    if (end === 'complete') source$.complete();
    else subscription.unsubscribe();
    expect(jest.getTimerCount()).toBe(0);
  });
});

interface Arrival {
  readonly key: string;
  readonly id: number;
  readonly at: number;
}

const arrivals = fc
  .array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), gap: fc.nat(8) }), { maxLength: 60 })
  .map((gaps) => {
    let at = 0;
    return gaps.map(({ key, gap }, id): Arrival => ({ key, id, at: (at += gap) }));
  });

/** What `batchBy` makes of the arrivals, each batch with the time it left. */
function batched(items: readonly Arrival[], maxSize: number, maxWaitMs: number) {
  const left: { at: number; batch: Batch<Arrival> }[] = [];
  marbles(({ now, flush }) => {
    from(items)
      .pipe(
        concatMap((item) => of(item).pipe(delay(item.at - now()))),
        batchBy({ maxSize, maxWaitMs, by: (item) => item.key }),
        map((batch) => ({ at: now(), batch })),
        toArray(),
      )
      .subscribe((all) => left.push(...all));
    flush();
  });
  return left;
}

describe('for any arrivals, size and wait, batchBy', () => {
  const cases = [arrivals, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20 })] as const;

  test('loses nothing and reorders nothing of a key', () => {
    fc.assert(
      fc.property(...cases, (items, maxSize, maxWaitMs) => {
        const out = batched(items, maxSize, maxWaitMs).flatMap(({ batch }) => batch);
        for (const key of ['a', 'b', 'c']) {
          expect(out.filter((item) => item.key === key)).toEqual(items.filter((item) => item.key === key));
        }
      }),
    );
  });

  test('never exceeds the size and never mixes keys', () => {
    fc.assert(
      fc.property(...cases, (items, maxSize, maxWaitMs) => {
        for (const { batch } of batched(items, maxSize, maxWaitMs)) {
          expect(batch.length).toBeLessThanOrEqual(maxSize);
          expect(new Set(batch.map((item) => item.key)).size).toBe(1);
        }
      }),
    );
  });

  test('lets no item wait longer than `maxWaitMs`', () => {
    fc.assert(
      fc.property(...cases, (items, maxSize, maxWaitMs) => {
        for (const { at, batch } of batched(items, maxSize, maxWaitMs)) {
          for (const item of batch) expect(at - item.at).toBeLessThanOrEqual(maxWaitMs);
        }
      }),
    );
  });
});
