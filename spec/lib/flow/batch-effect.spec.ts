import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { concatMap, delay, from, map, of, range, Subject, timer } from 'rxjs';
import type { Batch } from '../../../lib/flow/batch-by.ts';
import { batchEffect, type BatchEffectLimits } from '../../../lib/flow/batch-effect.ts';
import { WorkTimeout } from '../../../lib/flow/isolate.ts';
import { marbles } from './marbles.ts';

type Queue = Parameters<NonNullable<BatchEffectLimits<unknown>['onQueue']>>[0];

/** Limits that get in nobody's way, and what was reported. */
function limits<T = string>(own: Partial<BatchEffectLimits<T>> = {}) {
  const errors: [unknown, Batch<T>][] = [];
  const inline: T[] = [];
  const queues: Queue[] = [];
  return {
    errors,
    inline,
    depth: () => queues[0]!.depth,
    oldestAgeMs: () => queues[0]!.oldestAgeMs,
    limits: {
      batch: { maxSize: 2, maxWaitMs: 15 },
      concurrency: 1,
      capacity: 100,
      timeoutMs: 1_000,
      onError: (error: unknown, batch: Batch<T>) => errors.push([error, batch]),
      onInline: (item: T) => inline.push(item),
      onQueue: (queue: Queue) => queues.push(queue),
      ...own,
    },
  };
}

const joined = (batch: readonly unknown[]): string => batch.join('');

describe('batchEffect', () => {
  test('works on a batch when it is full', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-c-d----|');
      const expected = '    ---x---y----|';
      const values = { x: 'ab', y: 'cd' };
      expectObservable(source$.pipe(batchEffect(joined, limits().limits))).toBe(expected, values);
    });
  });

  test('works on a partial batch when its time is up', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-----------|');
      const expected = '    ------x--------|';
      const own = limits({ batch: { maxSize: 9, maxWaitMs: 5 } }).limits;
      expectObservable(source$.pipe(batchEffect(joined, own))).toBe(expected, { x: 'ab' });
    });
  });

  test('works on a partial batch when its source completes', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-|    ');
      const subs = '        ^--!    ';
      const expected = '    ---(x|) ';
      expectObservable(source$.pipe(batchEffect(joined, limits().limits))).toBe(expected, { x: 'a' });
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('never mixes keys in a batch', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-a-------|');
      const expected = '    -----x--y----|';
      const by = (item: string) => item;
      const own = limits({ batch: { maxSize: 2, maxWaitMs: 5, by } }).limits;
      expectObservable(source$.pipe(batchEffect(joined, own))).toBe(expected, { x: 'aa', y: 'b' });
    });
  });

  test('works on as many batches at once as it has slots', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -(abcdef)-------|');
      const work$ = cold('   ----r|          ');
      const works = [
        '                   -^----!          ',
        '                   -^----!          ',
        '                   ------^----!     ',
      ];
      const expected = '    -----(rr)-r-----|';
      expectObservable(source$.pipe(batchEffect(() => work$, limits({ concurrency: 2 }).limits))).toBe(
        expected,
      );
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('takes promises', async () => {
    const seen: string[] = [];
    await from(['a', 'b', 'c'])
      .pipe(batchEffect((batch) => Promise.resolve(joined(batch)), limits().limits))
      .forEach((out) => seen.push(out));
    expect(seen).toEqual(['ab', 'c']);
  });

  test('loses a batch that fails and leaves the rest', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-c-d-e-f-|');
      const expected = '    ---x-------z-|';
      const run = (batch: Batch<string>): string => {
        if (batch[0] === 'c') throw new Error('broken');
        return joined(batch);
      };
      const { errors, depth, limits: own } = limits();
      expectObservable(source$.pipe(batchEffect(run, own))).toBe(expected, { x: 'ab', z: 'ef' });
      flush();
      expect(errors).toEqual([[new Error('broken'), ['c', 'd']]]);
      expect(depth()).toBe(0);
    });
  });

  test('gives the slot and the room of a batch that never ends back at the timeout', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = hot(' -abcd-----------|');
      const stuck$ = cold('   ------        ');
      const fine$ = cold('         --r|     ');
      const stuck = '       --^----!         ';
      const fine = '        -------^--!      ';
      const expected = '    ---------r------|';
      const { errors, depth, limits: own } = limits({ timeoutMs: 5 });
      const run = (batch: Batch<string>) => (batch[0] === 'a' ? stuck$ : fine$);
      expectObservable(source$.pipe(batchEffect(run, own))).toBe(expected);
      expectSubscriptions(stuck$.subscriptions).toBe(stuck);
      expectSubscriptions(fine$.subscriptions).toBe(fine);
      flush();
      expect(errors).toEqual([[expect.any(WorkTimeout), ['a', 'b']]]);
      expect(depth()).toBe(0);
    });
  });

  test('completes after the batches under way and those that wait', () => {
    marbles(({ hot, cold, expectObservable }) => {
      const source$ = hot(' -abcd|          ');
      const expected = '    ------r----r|   ';
      expectObservable(source$.pipe(batchEffect(() => cold('----r|'), limits().limits))).toBe(expected);
    });
  });

  test('passes an error of its source on at once and drops the work', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab-#    ');
      const work$ = cold('    -----r ');
      const works = '       --^-!    ';
      const expected = '    ----#    ';
      expectObservable(source$.pipe(batchEffect(() => work$, limits().limits))).toBe(expected);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('passes on what its key function throws', () => {
    const broken = new Error('broken');
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-');
      const expected = '    -# ';
      const by = () => {
        throw broken;
      };
      const own = limits({ batch: { maxSize: 2, maxWaitMs: 5, by } }).limits;
      expectObservable(source$.pipe(batchEffect(joined, own))).toBe(expected, {}, broken);
    });
  });

  test('lets source and work go when it is unsubscribed, and begins nothing that waited', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -abcde------');
      const work$ = cold('    -----r|   ');
      const source = '      ^----!      ';
      const works = '       --^--!      ';
      const unsub = '       -----!      ';
      const expected = '    -----       ';
      expectObservable(source$.pipe(batchEffect(() => work$, limits().limits)), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(source);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('shows the depth of its queue: what waits, what gathers and what is in work', () => {
    marbles(({ hot, cold, flush }) => {
      const depths: number[] = [];
      const { depth, limits: own } = limits();
      const source$ = hot('-a-b-c|');
      source$.pipe(batchEffect(() => cold('---r|'), own)).subscribe();
      for (const ms of [0, 2, 4, 6, 8]) timer(ms).subscribe(() => depths.push(depth()));
      flush();
      expect(depths).toEqual([0, 1, 2, 3, 1]);
      expect(depth()).toBe(0);
    });
  });

  test('shows the age of what waits before its batches', () => {
    const clock = { at: 0, now: () => clock.at };
    const source$ = new Subject<string>();
    const { oldestAgeMs, limits: own } = limits({ clock });
    const subscription = source$.pipe(batchEffect(() => new Subject<string>(), own)).subscribe();
    for (const item of ['a', 'b', 'c', 'd']) source$.next(item);
    clock.at = 5;
    expect(oldestAgeMs()).toBe(0);
    source$.next('e');
    clock.at = 12;
    expect(oldestAgeMs()).toBe(7);
    subscription.unsubscribe();
  });

  test('keeps an item that its own work sends while a batch closes by time', () => {
    marbles(({ now, flush }) => {
      const source$ = new Subject<string>();
      const seen: unknown[] = [];
      const { depth, limits: own } = limits({ batch: { maxSize: 2, maxWaitMs: 5 } });
      const run = (batch: Batch<string>): string => {
        if (batch[0] === 'a') source$.next('b');
        return joined(batch);
      };
      source$.pipe(batchEffect(run, own)).subscribe((out) => seen.push([now(), out]));
      source$.next('a');
      flush();
      expect(seen).toEqual([
        [5, 'a'],
        [10, 'b'],
      ]);
      expect(depth()).toBe(0);
    });
  });
});

describe('batchEffect with a full queue', () => {
  test('works on the new item alone, at once, by the same function', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-------c------|');
      const expected = '    ---y--x---------z-|';
      const { inline, limits: own } = limits({ capacity: 1, batch: { maxSize: 2, maxWaitMs: 5 } });
      expectObservable(source$.pipe(batchEffect(joined, own))).toBe(expected, { x: 'a', y: 'b', z: 'c' });
      flush();
      expect(inline).toEqual(['b']);
    });
  });

  test('works on each of 1000 items exactly once when there is room for one', () => {
    marbles(({ flush }) => {
      const batches: Batch<number>[] = [];
      const depths: number[] = [];
      const { inline, depth, limits: own } = limits<number>({ capacity: 1 });
      range(0, 1_000)
        .pipe(
          batchEffect((batch) => {
            batches.push(batch);
            depths.push(depth());
          }, own),
        )
        .subscribe();
      flush();
      const worked = batches.flat().sort((a, b) => a - b);
      expect(worked).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
      expect(inline).toEqual(worked.slice(1));
      expect(batches.every((batch) => batch.length === 1)).toBe(true);
      expect(Math.max(...depths)).toBe(1);
    });
  });

  test('reports an inline item that fails and leaves the rest', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-c-------|');
      const expected = '    -----z-x-----|';
      const run = (batch: Batch<string>): string => {
        if (batch[0] === 'b') throw new Error('broken');
        return joined(batch);
      };
      const { errors, limits: own } = limits({ capacity: 1, batch: { maxSize: 2, maxWaitMs: 6 } });
      expectObservable(source$.pipe(batchEffect(run, own))).toBe(expected, { x: 'a', z: 'c' });
      flush();
      expect(errors).toEqual([[new Error('broken'), ['b']]]);
    });
  });

  test('completes after the inline work under way', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab|        ');
      const inline$ = cold('  ------i|  ');
      const works = '       --^------!  ';
      const expected = '    ---a----i|  ';
      const run = (batch: Batch<string>) => (batch[0] === 'b' ? inline$ : of('a'));
      expectObservable(source$.pipe(batchEffect(run, limits({ capacity: 1 }).limits))).toBe(expected);
      expectSubscriptions(inline$.subscriptions).toBe(works);
    });
  });

  test('lets the inline work go when it is unsubscribed', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab-------');
      const inline$ = cold('  -----i  ');
      const works = '       --^-!     ';
      const unsub = '       ----!     ';
      expectObservable(source$.pipe(batchEffect(() => inline$, limits({ capacity: 1 }).limits)), unsub).toBe(
        '----',
      );
      expectSubscriptions(inline$.subscriptions).toBe(works);
    });
  });

  test('takes items into the queue again once a batch is done', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -abc-----d-e-------|');
      const expected = '    ----z--x--------y--|';
      const values = { x: 'ab', y: 'de', z: 'c' };
      const { inline, limits: own } = limits({ capacity: 2 });
      const run = (batch: Batch<string>) =>
        (batch.length === 1 ? cold('-r|') : cold('-----r|')).pipe(map(() => joined(batch)));
      expectObservable(source$.pipe(batchEffect(run, own))).toBe(expected, values);
      flush();
      expect(inline).toEqual(['c']);
    });
  });
});

describe('for any items and limits, batchEffect', () => {
  const item = fc.record({ key: fc.constantFrom('a', 'b', 'c'), gap: fc.nat(4), takes: fc.nat(14) });
  const items = fc.array(item, { maxLength: 60 }).map((list) => list.map((one, id) => ({ ...one, id })));
  const numbers = fc.record({
    maxSize: fc.integer({ min: 1, max: 4 }),
    maxWaitMs: fc.integer({ min: 1, max: 9 }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    capacity: fc.integer({ min: 1, max: 12 }),
  });

  test('works on every item exactly once, keeps its limits, ends empty and completes', () => {
    fc.assert(
      fc.property(items, numbers, (list, { maxSize, maxWaitMs, concurrency, capacity }) => {
        marbles(({ flush }) => {
          type Item = (typeof list)[number];
          const begun: number[] = [];
          let inWork = 0;
          let completed = false;
          const inlineIds = new Set<number>();
          const {
            depth,
            errors,
            limits: own,
          } = limits<Item>({
            batch: { maxSize, maxWaitMs, by: (one) => one.key },
            concurrency,
            capacity,
            onInline: (one) => inlineIds.add(one.id),
          });
          const run = (batch: Batch<Item>) => {
            expect(depth()).toBeLessThanOrEqual(capacity);
            expect(batch.length).toBeLessThanOrEqual(maxSize);
            expect(new Set(batch.map((one) => one.key)).size).toBe(1);
            begun.push(...batch.map((one) => one.id));
            if (inlineIds.has(batch[0].id)) return of(batch);
            expect(++inWork).toBeLessThanOrEqual(concurrency);
            const work$ = batch[0].takes < 3 ? of(batch) : timer(batch[0].takes).pipe(map(() => batch));
            return work$.pipe(
              map(() => {
                inWork--;
                return batch;
              }),
            );
          };
          from(list)
            .pipe(
              concatMap((one) => (one.gap === 0 ? of(one) : of(one).pipe(delay(one.gap)))),
              batchEffect(run, own),
            )
            .subscribe({ complete: () => (completed = true) });
          flush();
          expect(begun.sort((a, b) => a - b)).toEqual(list.map((one) => one.id));
          expect(errors).toEqual([]);
          expect(depth()).toBe(0);
          expect(completed).toBe(true);
        });
      }),
    );
  });
});
