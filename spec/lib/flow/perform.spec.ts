import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { from, of, Subject } from 'rxjs';
import { Lanes } from '../../../lib/flow/lanes.ts';
import type { MaybePromise } from '../../../lib/flow/maybe-promise.ts';
import { perform } from '../../../lib/flow/perform.ts';
import { marbles } from './marbles.ts';
import { later, settled } from './promises.ts';

const pass = (item: string, emit: (out: string) => void) => emit(item);
const first = (item: string) => item.charAt(0);
const ordered = () => ({ lanes: new Lanes<string>({ maxWaitingPerKey: 100 }), by: first });

describe('perform', () => {
  test('emits what synchronous work hands it, before the source goes on', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-b-(cd)-|');
      const subs = '        ^---------!';
      const expected = '    -a-b-(cd)-|';
      expectObservable(source$.pipe(perform(pass))).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('holds up nobody behind an item that waits for a promise', async () => {
    const answer = later();
    const seen: string[] = [];
    const work = (item: string, emit: (out: string) => void): MaybePromise<void> =>
      item === 'a1' ? answer.promise.then(() => emit(item)) : emit(item);
    from(['a1', 'a2'])
      .pipe(perform(work))
      .subscribe({ next: (out) => seen.push(out), complete: () => seen.push('end') });
    expect(seen).toEqual(['a2']);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['a2', 'a1', 'end']);
  });

  test('goes on after a promise that was rejected', async () => {
    const seen: string[] = [];
    const work = (item: string, emit: (out: string) => void): MaybePromise<void> =>
      item === 'a' ? Promise.reject(new Error('lost')) : emit(item);
    from(['a', 'b'])
      .pipe(perform(work))
      .subscribe({ next: (out) => seen.push(out), complete: () => seen.push('end') });
    await settled();
    expect(seen).toEqual(['b', 'end']);
  });

  test('emits nothing any more once it is unsubscribed', async () => {
    const answer = later();
    const seen: string[] = [];
    const subscription = of('a')
      .pipe(perform((item: string, emit: (out: string) => void) => answer.promise.then(() => emit(item))))
      .subscribe((out) => seen.push(out));
    subscription.unsubscribe();
    answer.resolve();
    await settled();
    expect(seen).toEqual([]);
  });
});

describe('perform in order', () => {
  test('emits what synchronous work hands it, before the source goes on', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-b-(cd)-|');
      const subs = '        ^---------!';
      const expected = '    -a-b-(cd)-|';
      expectObservable(source$.pipe(perform(pass, ordered()))).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('lets work emit nothing or several items', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a---b----|');
      const expected = '    -(xy)-----|';
      const work = (item: string, emit: (out: string) => void) => {
        if (item === 'b') return;
        emit('x');
        emit('y');
      };
      expectObservable(source$.pipe(perform(work, ordered()))).toBe(expected);
    });
  });

  test('passes an error of its source on', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-#');
      const expected = '    -a-#';
      expectObservable(source$.pipe(perform(pass, ordered()))).toBe(expected);
    });
  });

  test('lets its source go when it is unsubscribed', () => {
    marbles(({ hot, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a--b-');
      const subs = '        ^--!   ';
      const unsub = '       ---!   ';
      const expected = '    -a-    ';
      expectObservable(source$.pipe(perform(pass, ordered())), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('completes after the work that waits for a promise, and what waits behind it', async () => {
    const answer = later();
    const seen: string[] = [];
    const work = (item: string, emit: (out: string) => void): MaybePromise<void> =>
      item === 'a1' ? answer.promise.then(() => emit(item)) : emit(item);
    from(['a1', 'a2', 'b1'])
      .pipe(perform(work, ordered()))
      .subscribe({ next: (out) => seen.push(out), complete: () => seen.push('end') });
    expect(seen).toEqual(['b1']);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['b1', 'a1', 'a2', 'end']);
  });

  test('completes after a promise that was rejected', async () => {
    const seen: string[] = [];
    of('a')
      .pipe(perform(() => Promise.reject(new Error('lost')), ordered()))
      .subscribe({ complete: () => seen.push('end') });
    expect(seen).toEqual([]);
    await settled();
    expect(seen).toEqual(['end']);
  });

  test('shares the order between two streams over the same lanes', async () => {
    const { lanes } = ordered();
    const seen: string[] = [];
    const connects$ = new Subject<string>();
    const frames$ = new Subject<string>();
    const answer = later();
    connects$
      .pipe(
        perform(
          (item: string, emit: (out: string) => void) => answer.promise.then(() => emit(`connected ${item}`)),
          { lanes, by: first },
        ),
      )
      .subscribe((out) => seen.push(out));
    frames$.pipe(perform(pass, { lanes, by: first })).subscribe((out) => seen.push(out));
    connects$.next('a');
    frames$.next('a1');
    frames$.next('b1');
    expect(seen).toEqual(['b1']);
    answer.resolve();
    await settled();
    expect(seen).toEqual(['b1', 'connected a', 'a1']);
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

  test('perform in order keeps the order per key, one item at a time, and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 30 }), async (list) => {
        type Item = (typeof list)[number] & { id: number };
        const lanes = new Lanes<string>({ maxWaitingPerKey: 4 });
        const source$ = new Subject<Item>();
        const busy = new Set<string>();
        const overlaps: number[] = [];
        const out: Item[] = [];
        const work = (one: Item, emit: (out: Item) => void): MaybePromise<void> => {
          if (busy.has(one.key)) overlaps.push(one.id);
          if (one.takes === undefined) {
            emit(one);
            return;
          }
          busy.add(one.key);
          return new Promise((resolve, reject) => {
            setTimeout(() => {
              busy.delete(one.key);
              emit(one);
              if (one.fails) reject(new Error('failed'));
              else resolve();
            }, one.takes);
          });
        };
        let completed = false;
        source$.pipe(perform(work, { lanes, by: (one) => one.key })).subscribe({
          next: (one) => out.push(one),
          complete: () => {
            completed = true;
          },
        });
        for (const [id, one] of list.entries()) {
          await jest.advanceTimersByTimeAsync(one.gap);
          source$.next({ ...one, id });
        }
        source$.complete();
        await jest.runAllTimersAsync();
        for (const key of ['a', 'b', 'c']) {
          const ids = out.filter((one) => one.key === key).map((one) => one.id);
          const given = list.flatMap((one, id) => (one.key === key ? [id] : []));
          expect(ids).toEqual(given);
        }
        expect(overlaps).toEqual([]);
        expect([lanes.busy, lanes.depth, completed]).toEqual([0, 0, true]);
      }),
    );
  });
});
