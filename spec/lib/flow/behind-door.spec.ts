import { describe, expect, test } from '@jest/globals';
import { concatMap, delay, filter, map, type OperatorFunction, pipe, Subject, of } from 'rxjs';
import { behindDoor, type DoorLimits } from '../../../lib/flow/behind-door.ts';
import { marbles } from './marbles.ts';

function limits(own: Partial<DoorLimits<string>> = {}) {
  const overflowed: string[] = [];
  const restarts: unknown[] = [];
  const doors: { readonly depth: number }[] = [];
  return {
    overflowed,
    restarts,
    depth: () => doors[0]!.depth,
    limits: {
      capacity: 2,
      maxHoldMs: 1_000,
      onOverflow: (item: string) => overflowed.push(item),
      onRestart: (error: unknown, attempt: number, lost: number) => restarts.push([error, attempt, lost]),
      onDoor: (door: { readonly depth: number }) => doors.push(door),
      ...own,
    },
  };
}

/** Holds each item for 4 ms, one after the other. */
const slow: OperatorFunction<string, string> = concatMap((item) => of(item).pipe(delay(4)));

describe('an operator behind a door', () => {
  test('works as it would without one', () => {
    marbles(({ hot, expectObservable, expectSubscriptions, flush }) => {
      const source$ = hot(' -a--b-|  ');
      const subs = '        ^-----!  ';
      const expected = '    -A--B-|  ';
      const { overflowed, limits: own } = limits();
      const upper = map((item: string) => item.toUpperCase());
      expectObservable(source$.pipe(behindDoor(upper, own))).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(subs);
      flush();
      expect(overflowed).toEqual([]);
    });
  });

  test('completes after what it holds came out', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -ab|       ');
      const expected = '    -----a---(b|)';
      expectObservable(source$.pipe(behindDoor(slow, limits().limits))).toBe(expected);
    });
  });

  test('is told of no item beyond its capacity, and takes items again once one came out', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -abc--d--------|');
      const expected = '    -----a---b---d-|';
      const { overflowed, limits: own } = limits();
      expectObservable(source$.pipe(behindDoor(slow, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['c']);
    });
  });

  test('has room again for an item that it dropped, after `maxHoldMs`', () => {
    const clock = { at: 1_000, now: () => clock.at };
    const { overflowed, depth, limits: own } = limits({ clock, maxHoldMs: 50 });
    const source$ = new Subject<string>();
    source$
      .pipe(
        behindDoor(
          filter(() => false),
          own,
        ),
      )
      .subscribe();
    source$.next('a');
    clock.at += 20;
    source$.next('b');
    clock.at += 29;
    source$.next('c');
    expect(overflowed).toEqual(['c']);
    clock.at += 1;
    source$.next('d');
    source$.next('e');
    expect(overflowed).toEqual(['c', 'e']);
    expect(depth()).toBe(2);
  });

  test('that errors is started again, with what it held counted as lost', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -ab 100ms   c----|');
      const expected = '    --- 100ms   ----c|';
      const poison = pipe(
        map((item: string) => {
          if (item === 'b') throw new Error('broken');
          return item;
        }),
        slow,
      );
      const { restarts, depth, limits: own } = limits();
      expectObservable(source$.pipe(behindDoor(poison, own))).toBe(expected);
      flush();
      expect(restarts).toEqual([[new Error('broken'), 1, 2]]);
      expect(depth()).toBe(0);
    });
  });

  test('finds what came while it was down', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-bcd 200ms |');
      const expected = '    - 100ms (bc) 101ms |';
      let poisoned = true;
      const once = map((item: string) => {
        if (poisoned) {
          poisoned = false;
          throw new Error('broken');
        }
        return item;
      });
      const { overflowed, limits: own } = limits();
      expectObservable(source$.pipe(behindDoor(once, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['d']);
    });
  });

  test('passes an error of its source on and is let go', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-#   ');
      const expected = '    ---#   ';
      expectObservable(source$.pipe(behindDoor(slow, limits().limits))).toBe(expected);
    });
  });
});
