import { describe, expect, test } from '@jest/globals';
import { EMPTY, lastValueFrom, NEVER, of, toArray } from 'rxjs';
import { isolate, type Work, WorkTimeout } from '../../../lib/flow/isolate.ts';
import { marbles } from './marbles.ts';

function isolated<T>(work: Work<T>, timeoutMs = 5) {
  const errors: unknown[] = [];
  return { errors, result$: isolate(work, { timeoutMs, onError: (error) => errors.push(error) }) };
}

describe('isolated work', () => {
  test('that is a stream passes on its items and its end', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = cold('a--b-|');
      const subs = '        ^----!';
      const expected = '    a--b-|';
      const { errors, result$ } = isolated(() => source$);
      expectObservable(result$).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
      flush();
      expect(errors).toEqual([]);
    });
  });

  test('that answers a value now passes it on now', () => {
    const seen: unknown[] = [];
    isolated(() => 7).result$.subscribe({
      next: (value) => seen.push(value),
      complete: () => seen.push('end'),
    });
    expect(seen).toEqual([7, 'end']);
  });

  test('that answers a promise passes on its value', async () => {
    const { errors, result$ } = isolated(() => Promise.resolve(7));
    await expect(lastValueFrom(result$.pipe(toArray()))).resolves.toEqual([7]);
    expect(errors).toEqual([]);
  });

  test('is started once per subscription and not before', () => {
    let runs = 0;
    const { result$ } = isolated(() => ++runs);
    expect(runs).toBe(0);
    result$.subscribe();
    result$.subscribe();
    expect(runs).toBe(2);
  });

  test('that throws reports it and ends without an item', () => {
    marbles(({ expectObservable, flush }) => {
      const expected = '|';
      const { errors, result$ } = isolated(() => {
        throw new Error('broken');
      });
      expectObservable(result$).toBe(expected);
      flush();
      expect(errors).toEqual([new Error('broken')]);
    });
  });

  test('that rejects reports it and ends without an item', async () => {
    const { errors, result$ } = isolated(() => Promise.reject(new Error('broken')));
    await expect(lastValueFrom(result$.pipe(toArray()))).resolves.toEqual([]);
    expect(errors).toEqual([new Error('broken')]);
  });

  test('whose stream fails keeps what came before, reports, and ends', () => {
    marbles(({ cold, expectObservable, flush }) => {
      const source$ = cold('a-#', undefined, 'broken');
      const expected = '    a-|';
      const { errors, result$ } = isolated(() => source$);
      expectObservable(result$).toBe(expected);
      flush();
      expect(errors).toEqual(['broken']);
    });
  });

  test('that never answers is given up after the timeout, and let go', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = cold('-----------');
      const subs = '        ^----!     ';
      const expected = '    -----|     ';
      const { errors, result$ } = isolated(() => source$);
      expectObservable(result$).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
      flush();
      expect(errors).toEqual([expect.any(WorkTimeout)]);
      expect(errors).toEqual([expect.objectContaining({ message: 'no answer within 5 ms' })]);
    });
  });

  test('that falls silent after an item is given up after the timeout from there', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = cold('---a-------');
      const subs = '        ^-------!  ';
      const expected = '    ---a----|  ';
      const { errors, result$ } = isolated(() => source$);
      expectObservable(result$).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
      flush();
      expect(errors).toEqual([expect.any(WorkTimeout)]);
    });
  });

  test.each([
    ['ended without an item', EMPTY],
    ['answered', of(1)],
  ])('that %s is not called late afterwards', (_, work$) => {
    marbles(({ flush }) => {
      const { errors, result$ } = isolated(() => work$);
      result$.subscribe();
      flush();
      expect(errors).toEqual([]);
    });
  });

  test('that nobody waits for any more is let go and reports nothing', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = cold('-----------');
      const subs = '        ^--!       ';
      const unsub = '       ---!       ';
      const { errors, result$ } = isolated(() => source$);
      expectObservable(result$, unsub).toBe('---');
      expectSubscriptions(source$.subscriptions).toBe(subs);
      flush();
      expect(errors).toEqual([]);
    });
  });

  test('leaves the stream it stands in alive when its reporter is told', () => {
    marbles(({ cold, expectObservable }) => {
      const healthy$ = cold('---a|');
      const stuck = isolated(() => NEVER, 2);
      expectObservable(stuck.result$).toBe('--|');
      expectObservable(isolated(() => healthy$).result$).toBe('---a|');
    });
  });
});
