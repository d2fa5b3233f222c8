import { describe, expect, test } from '@jest/globals';
import { type Observable, EMPTY, defer, throwError } from 'rxjs';
import { supervise } from '../../../lib/flow/supervise.ts';
import { marbles } from './marbles.ts';

const ignore = () => undefined;

describe('a supervised stream', () => {
  test('is subscribed anew after a pause that doubles up to the cap', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('#                   ');
      const subs = [
        '                   (^!)                ',
        '                   --(^!)              ',
        '                   ------(^!)          ',
        '                   ----------(^!)      ',
      ];
      const unsub = '       -----------!        ';
      const expected = '    ------------        ';
      const limits = { initialDelayMs: 2, maxDelayMs: 4, onRestart: ignore };
      expectObservable(source$.pipe(supervise(limits)), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('starts over with the short pause once an item came through', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const lives = [cold('#'), cold('#'), cold('a#'), cold('#'), cold('b|')];
      const starts = [
        '                   (^!)                ',
        '                   --(^!)              ',
        '                   ------^!            ',
        '                   ---------(^!)       ',
        '                   -------------^!     ',
      ];
      const expected = '    ------a------b|     ';
      const source$ = defer(() => lives[life++]!);
      let life = 0;
      expectObservable(source$.pipe(supervise({ initialDelayMs: 2, onRestart: ignore }))).toBe(expected);
      lives.forEach((stream, i) => expectSubscriptions(stream.subscriptions).toBe(starts[i]!));
    });
  });

  test('pauses 100 ms at first and never more than 30 s, unless told otherwise', () => {
    marbles(({ now, flush }) => {
      const starts: number[] = [];
      const source$ = defer((): Observable<never> => {
        starts.push(now());
        return starts.length > 12 ? EMPTY : throwError(() => new Error('broken'));
      });
      source$.pipe(supervise({ onRestart: ignore })).subscribe();
      flush();
      const pauses = starts.slice(1).map((start, i) => start - starts[i]!);
      expect(pauses).toEqual([
        100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000,
      ]);
    });
  });

  test('reports each restart with its reason and its number in the row', () => {
    marbles(({ cold, flush }) => {
      const reports: unknown[] = [];
      const lives = [cold('#', {}, 'e1'), cold('#', {}, 'e2'), cold('a#', undefined, 'e3'), cold('|')];
      let life = 0;
      defer(() => lives[life++]!)
        .pipe(supervise({ onRestart: (error, attempt) => reports.push([error, attempt]) }))
        .subscribe();
      flush();
      expect(reports).toEqual([
        ['e1', 1],
        ['e2', 2],
        ['e3', 1],
      ]);
    });
  });

  test('that completes is not started again', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('-a-|');
      const subs = '        ^--!';
      const expected = '    -a-|';
      expectObservable(source$.pipe(supervise({ onRestart: ignore }))).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });

  test('is not started again once nobody listens', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source$ = cold('-#        ');
      const subs = '        ^!        ';
      const unsub = '       ---!      ';
      const expected = '    ----      ';
      expectObservable(source$.pipe(supervise({ initialDelayMs: 5, onRestart: ignore })), unsub).toBe(
        expected,
      );
      expectSubscriptions(source$.subscriptions).toBe(subs);
    });
  });
});
