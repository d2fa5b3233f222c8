import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  concatMap,
  delay,
  from,
  map,
  NEVER,
  type Observable,
  of,
  range,
  Subject,
  throwError,
  timer,
} from 'rxjs';
import {
  batchEffect,
  type BatchEffectLimits,
  type BatchEffectOptions,
  type BatchQueue,
  type InlineReason,
} from '../../../lib/flow/batch-effect.ts';
import type { Batch } from '../../../lib/flow/fair-batches.ts';
import type { MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import { ManualClock } from '../manual-clock.ts';
import { marbles } from './marbles.ts';
import { later, settled } from './promises.ts';

interface Own<In> extends Partial<Omit<BatchEffectLimits<In>, 'reports'>> {
  readonly clock?: ManualClock;
}

/** The operator with limits that get in nobody's way, what it reported, and its queue. */
function effectOf<In, Out>(
  run: (batch: Batch<In>) => MaybePromise<Out> | Observable<Out>,
  { clock, ...own }: Own<In> = {},
) {
  const inline: (readonly [InlineReason, queued: number])[] = [];
  const retries: (readonly [error: unknown, items: number, attempt: number, pauseMs: number])[] = [];
  const lateOnes: (readonly [items: number, timeoutMs: number])[] = [];
  const breaker: string[] = [];
  const queues: BatchQueue[] = [];
  const limits: BatchEffectLimits<In> = {
    mode: 'batched',
    batch: { maxSize: 2, maxWaitMs: 15 },
    concurrency: 1,
    capacity: 100,
    breaker: { refusals: 11, resetMs: 30_000 },
    timeoutMs: 1_000,
    retryPausesMs: [100, 1_000, 5_000, 30_000],
    ...own,
    reports: {
      onInline: (...told) => inline.push(told),
      onBreakerOpened: (queued) => breaker.push(`opened at ${queued}`),
      onBreakerClosed: () => breaker.push('closed'),
      onRetry: (...told) => retries.push(told),
      onLate: (...told) => lateOnes.push(told),
    },
  };
  const options: BatchEffectOptions = {
    onQueue: (queue) => queues.push(queue),
    ...(clock === undefined ? {} : { clock }),
  };
  const queue = (): BatchQueue => queues[0]!;
  return { operator: batchEffect(run, limits, options), inline, retries, lateOnes, breaker, queue };
}

const joined = (batch: readonly unknown[]): string => batch.join('');

describe('batchEffect', () => {
  test('works on a batch when it is full', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-c-d----|');
      const expected = '    ---x---y----|';
      const values = { x: 'ab', y: 'cd' };
      expectObservable(source$.pipe(effectOf(joined).operator)).toBe(expected, values);
    });
  });

  test('works on a partial batch when its time is up', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-----------|');
      const expected = '    ------x--------|';
      const { operator } = effectOf(joined, { batch: { maxSize: 9, maxWaitMs: 5 } });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'ab' });
    });
  });

  test('works on a partial batch when its source completes', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-|    ');
      const subs = '        ^--!    ';
      const expected = '    ---(x|) ';
      expectObservable(source$.pipe(effectOf(joined).operator)).toBe(expected, { x: 'a' });
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('never mixes keys in a batch', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-b-a-------|');
      const expected = '    -----x--y----|';
      const by = (item: string) => item;
      const { operator } = effectOf(joined, { batch: { maxSize: 2, maxWaitMs: 5, by } });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'aa', y: 'b' });
    });
  });

  test('works on urgent items first', () => {
    marbles(({ hot, cold, expectObservable }) => {
      const source$ = hot(' -(abcdEF)-------|');
      const expected = '    ----x---y---z---|';
      const isUrgent = (item: string) => item === item.toUpperCase();
      const run = (batch: Batch<string>) => cold('---r|').pipe(map(() => joined(batch)));
      const { operator } = effectOf(run, { batch: { maxSize: 2, maxWaitMs: 9, isUrgent } });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'ab', y: 'EF', z: 'cd' });
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
      const { operator } = effectOf(() => work$, { concurrency: 2 });
      expectObservable(source$.pipe(operator)).toBe(expected);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('takes promises', async () => {
    const seen: string[] = [];
    const { operator } = effectOf((batch: Batch<string>) => Promise.resolve(joined(batch)));
    await from(['a', 'b', 'c'])
      .pipe(operator)
      .forEach((out) => seen.push(out));
    expect(seen).toEqual(['ab', 'c']);
  });

  test('completes after the batches under way and those that wait', () => {
    marbles(({ hot, cold, expectObservable }) => {
      const source$ = hot(' -abcd|          ');
      const expected = '    ------r----r|   ';
      expectObservable(source$.pipe(effectOf(() => cold('----r|')).operator)).toBe(expected);
    });
  });

  test('passes an error of its source on at once and drops the work', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab-#    ');
      const work$ = cold('    -----r ');
      const works = '       --^-!    ';
      const expected = '    ----#    ';
      expectObservable(source$.pipe(effectOf(() => work$).operator)).toBe(expected);
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
      const { operator } = effectOf(joined, { batch: { maxSize: 2, maxWaitMs: 5, by } });
      expectObservable(source$.pipe(operator)).toBe(expected, {}, broken);
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
      expectObservable(source$.pipe(effectOf(() => work$).operator), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(source);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('shows the depth of its queue: what waits, what gathers and what is in work', () => {
    marbles(({ hot, cold, flush }) => {
      const depths: number[] = [];
      const { operator, queue } = effectOf(() => cold('---r|'));
      const source$ = hot('-a-b-c|');
      source$.pipe(operator).subscribe();
      for (const ms of [0, 2, 4, 6, 8]) timer(ms).subscribe(() => depths.push(queue().depth));
      flush();
      expect([...depths, queue().depth]).toEqual([0, 1, 2, 3, 1, 0]);
    });
  });

  test('shows the age of the oldest item that is not done, also while it is in work', () => {
    const clock = new ManualClock(0);
    const source$ = new Subject<string>();
    const works: Subject<string>[] = [];
    const { operator, queue } = effectOf(
      () => {
        const work$ = new Subject<string>();
        works.push(work$);
        return work$;
      },
      { clock, concurrency: 2, batch: { maxSize: 1, maxWaitMs: 15 } },
    );
    const ages = [0];
    const subscription = source$.pipe(operator).subscribe();
    source$.next('a');
    clock.advance(5);
    source$.next('b');
    clock.advance(7);
    ages.push(queue().oldestAgeMs);
    works[0]?.complete();
    ages.push(queue().oldestAgeMs);
    works[1]?.complete();
    ages.push(queue().oldestAgeMs);
    subscription.unsubscribe();
    expect(ages).toEqual([0, 12, 7, 0]);
  });

  test('keeps an item that its own work sends while a batch closes by time', () => {
    marbles(({ now, flush }) => {
      const source$ = new Subject<string>();
      const seen: unknown[] = [];
      const run = (batch: Batch<string>): string => {
        if (batch[0] === 'a') source$.next('b');
        return joined(batch);
      };
      const { operator, queue } = effectOf(run, { batch: { maxSize: 2, maxWaitMs: 5 } });
      source$.pipe(operator).subscribe((out) => seen.push([now(), out]));
      source$.next('a');
      flush();
      expect(seen).toEqual([
        [5, 'a'],
        [10, 'b'],
      ]);
      expect(queue().depth).toBe(0);
    });
  });
});

/** Work that throws so many times, then answers the batch. */
function failing(times: number, isIt: (batch: Batch<string>) => boolean = () => true) {
  const attempts: string[] = [];
  const run = (batch: Batch<string>): string => {
    attempts.push(joined(batch));
    if (isIt(batch) && times-- > 0) throw new Error('away');
    return joined(batch);
  };
  return { attempts, run };
}

describe('a batch that fails', () => {
  test('is tried again, as it was, and answers once', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-c-d--------');
      const expected = '    -------y-----x--';
      const { run } = failing(1, (batch) => batch[0] === 'a');
      const { operator, retries, queue } = effectOf(run, { retryPausesMs: [10] });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'ab', y: 'cd' });
      flush();
      expect([retries, queue().depth]).toEqual([[[new Error('away'), 2, 1, 10]], 0]);
    });
  });

  test.each([
    ['throws', () => () => throwError(() => new Error('away'))],
    ['rejects', () => () => Promise.reject(new Error('away'))],
  ] as const)('because its work %s is tried again', async (_, broken) => {
    const source$ = new Subject<string>();
    const { operator, retries } = effectOf<string, unknown>(broken());
    const subscription = source$.pipe(operator).subscribe();
    source$.next('a');
    source$.next('b');
    await settled();
    subscription.unsubscribe();
    expect(retries).toEqual([[new Error('away'), 2, 1, 100]]);
  });

  test('pauses after each failure, the last pause again and again', () => {
    marbles(({ now, flush, hot }) => {
      const triedAtMs: number[] = [];
      const run = (batch: Batch<string>): string => {
        triedAtMs.push(now());
        if (triedAtMs.length < 7) throw new Error('away');
        return joined(batch);
      };
      const { operator, retries } = effectOf(run);
      hot('(ab)').pipe(operator).subscribe();
      flush();
      expect(triedAtMs).toEqual([0, 100, 1_100, 6_100, 36_100, 66_100, 96_100]);
      expect(retries.map(([, , attempt, pauseMs]) => [attempt, pauseMs])).toEqual([
        [1, 100],
        [2, 1_000],
        [3, 5_000],
        [4, 30_000],
        [5, 30_000],
        [6, 30_000],
      ]);
    });
  });

  test('holds no slot while it pauses', () => {
    const { run, attempts } = failing(1);
    const source$ = new Subject<string>();
    const subscription = source$.pipe(effectOf(run).operator).subscribe();
    for (const item of ['a', 'b', 'c', 'd']) source$.next(item);
    subscription.unsubscribe();
    expect(attempts).toEqual(['ab', 'cd']);
  });

  test('counts against the capacity while it pauses', () => {
    const { run } = failing(1);
    const source$ = new Subject<string>();
    const { operator, inline, queue } = effectOf(run, { capacity: 2 });
    const subscription = source$.pipe(operator).subscribe();
    for (const item of ['a', 'b', 'c']) source$.next(item);
    const { depth } = queue();
    subscription.unsubscribe();
    expect([depth, inline]).toEqual([2, [['queue-full', 2]]]);
  });

  test('is counted and tried again too when it was worked on inline', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a------------------|');
      const expected = '    ----------------x---|';
      const { run } = failing(1);
      const batch = { maxSize: 2, maxWaitMs: 5 };
      const { operator, queue } = effectOf(run, { mode: 'inline', batch, retryPausesMs: [10] });
      const depths: number[] = [];
      timer(5).subscribe(() => depths.push(queue().depth));
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'a' });
      flush();
      expect([...depths, queue().depth]).toEqual([1, 0]);
    });
  });

  test.each([
    ['without a queue', { mode: 'inline' as const }],
    ['beyond its capacity', { capacity: 1 }],
  ])('%s, each item alone, is tried again with the others, in no more slots than there are', (_, limits) => {
    marbles(({ flush }) => {
      const count = 2_000;
      let [isAway, inWork, most] = [true, 0, 0];
      const sizes: number[] = [];
      const run = (batch: Batch<number>): Observable<number> => {
        if (isAway) throw new Error('away');
        sizes.push(batch.length);
        most = Math.max(most, ++inWork);
        return timer(5).pipe(map(() => inWork--));
      };
      const batch = { maxSize: 64, maxWaitMs: 50 };
      const { operator } = effectOf(run, { ...limits, batch, concurrency: 2 });
      const source$ = new Subject<number>();
      source$.pipe(operator).subscribe();
      for (let i = 0; i < count; i++) source$.next(i);
      timer(70).subscribe(() => (isAway = false));
      flush();
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
      expect([sizes.length, most]).toEqual([expect.closeTo(count / 64, -1), 2]);
    });
  });

  test('pauses as long as its most tried item', () => {
    marbles(({ hot, flush }) => {
      const { run } = failing(3);
      const { operator, retries } = effectOf(run, {
        mode: 'inline',
        batch: { maxSize: 2, maxWaitMs: 5 },
        retryPausesMs: [10, 40],
      });
      hot('a---------b').pipe(operator).subscribe();
      flush();
      expect(retries.map(([, items, attempt, pauseMs]) => [items, attempt, pauseMs])).toEqual([
        [1, 1, 10],
        [1, 1, 10],
        [1, 2, 40],
      ]);
    });
  });

  test('does not wait out its pause when the source completes', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -(ab)--|   ');
      const expected = '    -------(x|)';
      expectObservable(source$.pipe(effectOf(failing(1).run).operator)).toBe(expected, { x: 'ab' });
    });
  });

  test('is waited for when the source completes', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -(ab)--|        ');
      const expected = '    -----------------(x|)';
      const { operator } = effectOf(failing(2).run, { retryPausesMs: [10] });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'ab' });
    });
  });
});

describe('a batch that is late', () => {
  test('gives its slot back, and its answer counts all the same, once', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = hot(' -abcd---------------|');
      const slow$ = cold('    ------------s|     ');
      const fine$ = cold('         --f|          ');
      const slow = '        --^------------!     ';
      const fine = '        -------^--!        ';
      const expected = '    ---------f----s-----|';
      const run = (batch: Batch<string>) => (batch[0] === 'a' ? slow$ : fine$);
      const { operator, lateOnes, retries, queue } = effectOf(run, { timeoutMs: 5 });
      expectObservable(source$.pipe(operator)).toBe(expected);
      expectSubscriptions(slow$.subscriptions).toBe(slow);
      expectSubscriptions(fine$.subscriptions).toBe(fine);
      flush();
      expect([lateOnes, retries, queue().depth]).toEqual([[[2, 5]], [], 0]);
    });
  });

  test('counts against the capacity until it answers', () => {
    marbles(({ hot, cold, flush }) => {
      const { operator, queue } = effectOf(() => cold('--------r|'), { timeoutMs: 3 });
      const depths: number[] = [];
      hot('(ab)').pipe(operator).subscribe();
      for (const ms of [5, 12]) timer(ms).subscribe(() => depths.push(queue().depth));
      flush();
      expect(depths).toEqual([2, 0]);
    });
  });

  test('and then fails is tried again', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -(ab)-------------|');
      const expected = '    -----------------r|';
      const works = [cold('  ------#'), cold('      -----r|')];
      const { operator, lateOnes } = effectOf(() => works.shift() ?? NEVER, {
        timeoutMs: 3,
        retryPausesMs: [5],
      });
      expectObservable(source$.pipe(operator)).toBe(expected);
      flush();
      expect(lateOnes.length).toBe(2);
    });
  });

  test('is waited for when the source completes', async () => {
    const { promise, resolve } = later();
    const source$ = new Subject<string>();
    let isCompleted = false;
    source$.pipe(effectOf(() => promise).operator).subscribe({ complete: () => (isCompleted = true) });
    source$.next('a');
    source$.complete();
    await settled();
    const before = isCompleted;
    resolve();
    await settled();
    expect([before, isCompleted]).toEqual([false, true]);
  });
});

describe('batchEffect with a full queue', () => {
  test('works on the new item alone, at once, by the same function', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-------c------|');
      const expected = '    ---y--x---------z-|';
      const { operator, inline } = effectOf(joined, { capacity: 1, batch: { maxSize: 2, maxWaitMs: 5 } });
      expectObservable(source$.pipe(operator)).toBe(expected, { x: 'a', y: 'b', z: 'c' });
      flush();
      expect(inline).toEqual([['queue-full', 1]]);
    });
  });

  test('works on each of 1000 items exactly once when there is room for one', () => {
    marbles(({ flush }) => {
      const batches: Batch<number>[] = [];
      const depths: number[] = [];
      const { operator, inline, queue } = effectOf(
        (batch: Batch<number>) => {
          batches.push(batch);
          depths.push(queue().depth);
        },
        { capacity: 1 },
      );
      range(0, 1_000).pipe(operator).subscribe();
      flush();
      const worked = batches.flat().sort((a, b) => a - b);
      expect(worked).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
      expect(inline.length).toBe(999);
      expect(batches.every((batch) => batch.length === 1)).toBe(true);
      expect(Math.max(...depths)).toBe(1);
    });
  });

  test('completes after the inline work under way', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab|        ');
      const inline$ = cold('  ------i|  ');
      const works = '       --^------!  ';
      const expected = '    ---a----i|  ';
      const run = (batch: Batch<string>) => (batch[0] === 'b' ? inline$ : of('a'));
      expectObservable(source$.pipe(effectOf(run, { capacity: 1 }).operator)).toBe(expected);
      expectSubscriptions(inline$.subscriptions).toBe(works);
    });
  });

  test('lets the inline work go when it is unsubscribed', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab-------');
      const inline$ = cold('  -----i  ');
      const works = '       --^-!     ';
      const unsub = '       ----!     ';
      const { operator } = effectOf(() => inline$, { capacity: 1 });
      expectObservable(source$.pipe(operator), unsub).toBe('----');
      expectSubscriptions(inline$.subscriptions).toBe(works);
    });
  });

  test('takes items into the queue again once a batch is done', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -abc-----d-e-------|');
      const expected = '    ----z--x--------y--|';
      const values = { x: 'ab', y: 'de', z: 'c' };
      const run = (batch: Batch<string>) =>
        (batch.length === 1 ? cold('-r|') : cold('-----r|')).pipe(map(() => joined(batch)));
      const { operator, inline } = effectOf(run, { capacity: 2 });
      expectObservable(source$.pipe(operator)).toBe(expected, values);
      flush();
      expect(inline.length).toBe(1);
    });
  });
});

describe('the breaker of a queue', () => {
  /** A queue for one, taken by an item whose work never ends until `finish` is called. */
  function full() {
    const clock = new ManualClock();
    const source$ = new Subject<string>();
    const first$ = new Subject<string>();
    const run = (batch: Batch<string>): Observable<string> =>
      batch[0] === 'first' ? first$ : of(joined(batch));
    const effect = effectOf(run, { clock, capacity: 1, batch: { maxSize: 1, maxWaitMs: 15 } });
    const out: string[] = [];
    source$.pipe(effect.operator).subscribe((one) => out.push(one));
    source$.next('first');
    const send = (count: number): void => {
      for (let i = 0; i < count; i++) source$.next(`${i}`);
    };
    const reasons = (): readonly string[] => effect.inline.map(([reason]) => reason);
    return { ...effect, clock, send, reasons, out, finish: () => first$.complete() };
  }
  const queueFull = (count: number): readonly string[] => Array.from({ length: count }, () => 'queue-full');

  test('stays closed after ten refusals in a row', () => {
    const { send, breaker, queue, reasons } = full();
    send(10);
    expect([breaker, queue().isBreakerOpen, reasons()]).toEqual([[], false, queueFull(10)]);
  });

  test('opens at the eleventh: the queue is skipped from then on', () => {
    const { send, breaker, queue, reasons } = full();
    send(13);
    expect([breaker, queue().isBreakerOpen]).toEqual([['opened at 1'], true]);
    expect(reasons()).toEqual([...queueFull(11), 'breaker-open', 'breaker-open']);
  });

  test('counts refusals in a row only', () => {
    const { send, breaker, finish } = full();
    send(10);
    finish();
    send(1);
    send(10);
    expect(breaker).toEqual([]);
  });

  test('skips the queue for 30 seconds though it has room', () => {
    const { send, clock, finish, reasons } = full();
    send(11);
    finish();
    clock.advance(29_999);
    send(1);
    expect(reasons().at(-1)).toBe('breaker-open');
  });

  test('closes when the item that tries the queue then finds room, and says so', () => {
    const { send, clock, finish, reasons, breaker, queue } = full();
    send(11);
    finish();
    clock.advance(30_000);
    send(2);
    expect([breaker, queue().isBreakerOpen, reasons()]).toEqual([
      ['opened at 1', 'closed'],
      false,
      queueFull(11),
    ]);
  });

  test('stays open for as long again when it finds none', () => {
    const { send, clock, breaker, reasons } = full();
    send(11);
    clock.advance(30_000);
    send(2);
    clock.advance(29_999);
    send(1);
    expect([breaker, reasons().slice(11)]).toEqual([
      ['opened at 1'],
      ['queue-full', 'breaker-open', 'breaker-open'],
    ]);
  });

  test('loses nothing', () => {
    const { send, out } = full();
    send(20);
    expect(out.length).toBe(20);
  });
});

describe('batchEffect without a queue', () => {
  test('works on each item alone, at once, which is no fallback', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-b-(cd)-|');
      const expected = '    -a-b-(cd)-|';
      const { operator, inline } = effectOf(joined, { mode: 'inline' });
      expectObservable(source$.pipe(operator)).toBe(expected);
      flush();
      expect(inline).toEqual([]);
    });
  });
});

describe('for any items and limits, batchEffect', () => {
  const item = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    gap: fc.nat(4),
    takes: fc.nat(14),
    fails: fc.nat(2),
  });
  const items = fc.array(item, { maxLength: 60 }).map((list) => list.map((one, id) => ({ ...one, id })));
  const numbers = fc.record({
    maxSize: fc.integer({ min: 1, max: 4 }),
    maxWaitMs: fc.integer({ min: 1, max: 9 }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    capacity: fc.integer({ min: 1, max: 12 }),
    timeoutMs: fc.constantFrom(5, 1_000),
  });

  test('answers for every item exactly once however often it fails or is late, ends empty and completes', () => {
    fc.assert(
      fc.property(items, numbers, (list, { maxSize, maxWaitMs, ...limits }) => {
        marbles(({ flush }) => {
          type Item = (typeof list)[number];
          const failures = new Map<number, number>();
          const answered: number[] = [];
          let completed = false;
          const run = (batch: Batch<Item>): Observable<Batch<Item>> => {
            expect(batch.length).toBeLessThanOrEqual(maxSize);
            expect(new Set(batch.map((one) => one.key)).size).toBe(1);
            const [{ id, fails, takes }] = batch;
            const failed = failures.get(id) ?? 0;
            failures.set(id, failed + 1);
            const answer = (): Batch<Item> => {
              if (failed < fails) throw new Error('away');
              return batch;
            };
            return takes < 3 ? of(0).pipe(map(answer)) : timer(takes).pipe(map(answer));
          };
          const { operator, queue } = effectOf(run, {
            ...limits,
            batch: { maxSize, maxWaitMs, by: (one) => one.key },
            retryPausesMs: [2, 7],
          });
          from(list)
            .pipe(
              concatMap((one) => (one.gap === 0 ? of(one) : of(one).pipe(delay(one.gap)))),
              operator,
            )
            .subscribe({
              next: (batch) => answered.push(...batch.map((one) => one.id)),
              complete: () => (completed = true),
            });
          flush();
          expect(answered.sort((a, b) => a - b)).toEqual(list.map((one) => one.id));
          expect([queue().depth, queue().oldestAgeMs]).toEqual([0, 0]);
          expect(completed).toBe(true);
        });
      }),
    );
  });

  test('works on no more batches at once than it has slots', () => {
    fc.assert(
      fc.property(items, numbers, (list, { maxSize, maxWaitMs, concurrency }) => {
        marbles(({ flush }) => {
          type Item = (typeof list)[number];
          let inWork = 0;
          let most = 0;
          const run = (batch: Batch<Item>): Observable<number> => {
            most = Math.max(most, ++inWork);
            return timer(batch[0].takes).pipe(map(() => inWork--));
          };
          const batch = { maxSize, maxWaitMs, by: (one: Item) => one.key };
          from(list).pipe(effectOf(run, { batch, concurrency }).operator).subscribe();
          flush();
          expect(most).toBeLessThanOrEqual(concurrency);
        });
      }),
    );
  });
});
