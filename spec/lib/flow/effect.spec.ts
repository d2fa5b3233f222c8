import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { concatMap, delay, EMPTY, from, map, type Observable, of, Subject, timer } from 'rxjs';
import type { OverflowPolicy } from '../../../lib/flow/bounded-subject.ts';
import { effect, type EffectLimits } from '../../../lib/flow/effect.ts';
import { WorkTimeout } from '../../../lib/flow/isolate.ts';
import { marbles } from './marbles.ts';

/** Limits that get in nobody's way, and what was reported. */
function limits(own: Partial<EffectLimits<string>> = {}) {
  const errors: [unknown, string][] = [];
  const overflowed: string[] = [];
  return {
    errors,
    overflowed,
    limits: {
      concurrency: 1,
      overflow: { maxQueued: 100, policy: 'reject' as const },
      timeoutMs: 1_000,
      onError: (error: unknown, item: string) => errors.push([error, item]),
      onOverflow: (item: string) => overflowed.push(item),
      ...own,
    },
  };
}

const firstLetter = (item: string) => item.charAt(0).toLowerCase();

describe('effect', () => {
  test('works on one item after the other when one slot is there', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-b-c-------------|');
      const work$ = cold('   ---r|              ');
      const works = [
        '                   -^---!              ',
        '                   -----^---!          ',
        '                   ---------^---!      ',
      ];
      const expected = '    ----r---r---r------|';
      expectObservable(source$.pipe(effect(() => work$, limits().limits))).toBe(expected);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('works on as many items at once as it has slots', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -abc---------|');
      const work$ = cold('   ----r|       ');
      const works = [
        '                   -^----!       ',
        '                   --^----!      ',
        '                   ------^----!  ',
      ];
      const expected = '    -----rr---r--|';
      expectObservable(source$.pipe(effect(() => work$, limits({ concurrency: 2 }).limits))).toBe(expected);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('takes values and streams of several values alike', () => {
    marbles(({ hot, cold, expectObservable }) => {
      const source$ = hot(' -a----b----|');
      const stream$ = cold(' -x-y|      ');
      const expected = '    --x-y-b----|';
      const run = (item: string): string | Observable<string> => (item === 'a' ? stream$ : item);
      expectObservable(source$.pipe(effect(run, limits().limits))).toBe(expected);
    });
  });

  test('takes promises', async () => {
    const seen: string[] = [];
    const { errors, limits: own } = limits();
    await from(['a', 'b'])
      .pipe(effect((item) => Promise.resolve(item.toUpperCase()), own))
      .forEach((out) => seen.push(out));
    expect(seen).toEqual(['A', 'B']);
    expect(errors).toEqual([]);
  });

  test('keeps items of one key in order while another key overtakes', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -(aAb)---------|');
      const slow$ = cold('   -----s|        ');
      const quick$ = cold('  -q|            ');
      const slow = '        -^-----!        ';
      const quick = ['                   -^-!            ', '                   -------^-!      '];
      const expected = '    --q---s-q------|';
      const own = limits({ concurrency: 2, key: firstLetter }).limits;
      expectObservable(source$.pipe(effect((item) => (item === 'a' ? slow$ : quick$), own))).toBe(expected);
      expectSubscriptions(slow$.subscriptions).toBe(slow);
      expectSubscriptions(quick$.subscriptions).toBe(quick);
    });
  });

  test('gives the slot of an item that never ends back at the timeout, and reports it', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions, flush }) => {
      const source$ = hot(' -ab---------|');
      const stuck$ = cold('  -------     ');
      const fine$ = cold('       -r|     ');
      const stuck = '       -^----!      ';
      const fine = '        ------^-!    ';
      const expected = '    -------r----|';
      const { errors, limits: own } = limits({ timeoutMs: 5 });
      expectObservable(source$.pipe(effect((item) => (item === 'a' ? stuck$ : fine$), own))).toBe(expected);
      expectSubscriptions(stuck$.subscriptions).toBe(stuck);
      expectSubscriptions(fine$.subscriptions).toBe(fine);
      flush();
      expect(errors).toEqual([[expect.any(WorkTimeout), 'a']]);
    });
  });

  test('loses a poison item and nothing else', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -abc------|');
      const work$ = cold('   -r|       ');
      const poison$ = cold('   -#      ', undefined, 'poison');
      const expected = '    --r--r----|';
      const { errors, limits: own } = limits();
      expectObservable(source$.pipe(effect((item) => (item === 'b' ? poison$ : work$), own))).toBe(expected);
      flush();
      expect(errors).toEqual([['poison', 'b']]);
    });
  });

  test('loses an item whose work throws and nothing else, and goes on with its key', () => {
    marbles(({ hot, expectObservable, flush }) => {
      const source$ = hot(' -a-A-b|');
      const expected = '    ---A-b|';
      const run = (item: string): string => {
        if (item === 'a') throw new Error('broken');
        return item;
      };
      const { errors, limits: own } = limits({ key: firstLetter });
      expectObservable(source$.pipe(effect(run, own))).toBe(expected);
      flush();
      expect(errors).toEqual([[new Error('broken'), 'a']]);
    });
  });

  test('completes after the work under way and what waits for a slot', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab|          ');
      const work$ = cold('   ----r|       ');
      const source = '      ^--!          ';
      const works = ['                   -^----!       ', '                   ------^----!  '];
      const expected = '    -----r----r|  ';
      expectObservable(source$.pipe(effect(() => work$, limits().limits))).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(source);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('completes with a source that completes idle', () => {
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-|');
      const expected = '    ---|';
      expectObservable(source$.pipe(effect(() => EMPTY, limits().limits))).toBe(expected);
    });
  });

  test('passes an error of its source on at once and drops the work', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -a-#   ');
      const work$ = cold('   -----r');
      const works = '       -^-!   ';
      const expected = '    ---#   ';
      expectObservable(source$.pipe(effect(() => work$, limits().limits))).toBe(expected);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('passes on what its key function throws', () => {
    const broken = new Error('broken');
    marbles(({ hot, expectObservable }) => {
      const source$ = hot(' -a-');
      const expected = '    -# ';
      const key = () => {
        throw broken;
      };
      expectObservable(source$.pipe(effect((item) => item, limits({ key }).limits))).toBe(
        expected,
        {},
        broken,
      );
    });
  });

  test('lets source and work go when it is unsubscribed, and begins nothing that waited', () => {
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source$ = hot(' -ab--------');
      const work$ = cold('   -----r|   ');
      const source = '      ^---!      ';
      const works = '       -^--!      ';
      const unsub = '       ----!      ';
      const expected = '    ----       ';
      expectObservable(source$.pipe(effect(() => work$, limits().limits)), unsub).toBe(expected);
      expectSubscriptions(source$.subscriptions).toBe(source);
      expectSubscriptions(work$.subscriptions).toBe(works);
    });
  });

  test('takes an item that its own work sends', () => {
    const source$ = new Subject<string>();
    const seen: string[] = [];
    const run = (item: string): string => {
      if (item.length < 3) source$.next(`${item}+`);
      return item;
    };
    source$.pipe(effect(run, limits().limits)).subscribe((out) => seen.push(out));
    source$.next('a');
    expect(seen).toEqual(['a', 'a+', 'a++']);
  });

  test('costs no stack: ten thousand items that waited pass in one go', () => {
    const gate$ = new Subject<string>();
    const { errors, limits: own } = limits({ overflow: { maxQueued: 10_000, policy: 'reject' } });
    const source$ = new Subject<string>();
    let count = 0;
    source$.pipe(effect((item) => (item === 'gate' ? gate$ : item), own)).subscribe(() => count++);
    source$.next('gate');
    for (let i = 0; i < 10_000; i++) source$.next('item');
    gate$.complete();
    expect(count).toBe(10_000);
    expect(errors).toEqual([]);
  });
});

describe('effect with a full queue', () => {
  function overflowing(policy: OverflowPolicy) {
    return limits({ overflow: { maxQueued: 2, policy } });
  }

  test.each(['reject', 'drop-newest'] as const)(
    'tells of the new item under `%s` and keeps the others',
    (policy) => {
      marbles(({ hot, cold, expectObservable, flush }) => {
        const source$ = hot(' -(abcde)-----------------|');
        const expected = '    -----a----b----c---------|';
        const { overflowed, limits: own } = overflowing(policy);
        const run = (item: string) => cold('----r|').pipe(map(() => item));
        expectObservable(source$.pipe(effect(run, own))).toBe(expected);
        flush();
        expect(overflowed).toEqual(['d', 'e']);
      });
    },
  );

  test('tells of the item that waited longest under `drop-oldest` and takes the new one', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -(abcde)-----------------|');
      const expected = '    -----a----d----e---------|';
      const { overflowed, limits: own } = overflowing('drop-oldest');
      const run = (item: string) => cold('----r|').pipe(map(() => item));
      expectObservable(source$.pipe(effect(run, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['b', 'c']);
    });
  });

  test('goes on with the key of an item that was lost', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -(abBc)-----------------|');
      const expected = '    -----a----B----c--------|';
      const { overflowed, limits: own } = limits({
        overflow: { maxQueued: 2, policy: 'drop-oldest' },
        key: firstLetter,
      });
      const run = (item: string) => cold('----r|').pipe(map(() => item));
      expectObservable(source$.pipe(effect(run, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['b']);
    });
  });

  test('counts what waits behind a busy key, although slots are free', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -(aaaab)------------------|');
      const expected = '    -----(ab)-a----a----------|';
      const { overflowed, limits: own } = limits({
        concurrency: 8,
        overflow: { maxQueued: 2, policy: 'reject' },
        key: firstLetter,
      });
      const run = (item: string) => cold('----r|').pipe(map(() => item));
      expectObservable(source$.pipe(effect(run, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['a']);
    });
  });

  test('loses the new item under `drop-oldest` when all that wait stand behind a busy key', () => {
    marbles(({ hot, cold, flush }) => {
      const { overflowed, limits: own } = limits({
        overflow: { maxQueued: 2, policy: 'drop-oldest' },
        key: firstLetter,
      });
      hot('-(aaac)')
        .pipe(effect(() => cold('-----'), own))
        .subscribe();
      flush();
      expect(overflowed).toEqual(['c']);
    });
  });

  test('takes an item that finds a free slot although nothing may wait', () => {
    marbles(({ hot, cold, expectObservable, flush }) => {
      const source$ = hot(' -ab--c------|');
      const expected = '    ---a---c----|';
      const { overflowed, limits: own } = limits({ overflow: { maxQueued: 0, policy: 'drop-oldest' } });
      const run = (item: string) => cold('--r|').pipe(map(() => item));
      expectObservable(source$.pipe(effect(run, own))).toBe(expected);
      flush();
      expect(overflowed).toEqual(['b']);
    });
  });
});

interface Job {
  readonly key: string;
  readonly id: number;
  readonly gap: number;
  readonly takes: number;
}

const jobs = fc
  .array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), gap: fc.nat(4), takes: fc.nat(12) }), {
    maxLength: 40,
  })
  .map((list) => list.map((job, id): Job => ({ ...job, id })));

/** Works on the jobs in virtual time; a job that takes 10 ms or more never ends and runs into the timeout of 10 ms. */
function workOn(list: readonly Job[], concurrency: number, maxQueued: number, policy: OverflowPolicy) {
  const log = {
    done: [] as Job[],
    late: [] as Job[],
    lost: [] as Job[],
    overlaps: [] as Job[],
    maxInWork: 0,
    completed: false,
  };
  const busy: Job[] = [];
  marbles(({ flush }) => {
    const run = (job: Job): Observable<Job> => {
      if (busy.some((other) => other.key === job.key)) log.overlaps.push(job);
      busy.push(job);
      log.maxInWork = Math.max(log.maxInWork, busy.length);
      return timer(job.takes < 10 ? job.takes : 1_000).pipe(
        map(() => {
          busy.splice(busy.indexOf(job), 1);
          return job;
        }),
      );
    };
    from(list)
      .pipe(
        concatMap((job) => (job.gap === 0 ? of(job) : of(job).pipe(delay(job.gap)))),
        effect(run, {
          concurrency,
          overflow: { maxQueued, policy },
          timeoutMs: 10,
          key: (job) => job.key,
          onError: (_, job) => {
            busy.splice(busy.indexOf(job), 1);
            log.late.push(job);
          },
          onOverflow: (job) => log.lost.push(job),
        }),
      )
      .subscribe({ next: (job) => log.done.push(job), complete: () => (log.completed = true) });
    flush();
  });
  return log;
}

describe('for any items and limits, effect', () => {
  const cases = [
    jobs,
    fc.integer({ min: 1, max: 4 }),
    fc.nat(6),
    fc.constantFrom<OverflowPolicy>('reject', 'drop-newest', 'drop-oldest'),
  ] as const;

  test('accounts for every item exactly once, and completes', () => {
    fc.assert(
      fc.property(...cases, (list, concurrency, maxQueued, policy) => {
        const { done, late, lost, completed } = workOn(list, concurrency, maxQueued, policy);
        const ids = [...done, ...late, ...lost].map((job) => job.id).sort((a, b) => a - b);
        expect(ids).toEqual(list.map((job) => job.id));
        expect(late.every((job) => job.takes >= 10)).toBe(true);
        expect(completed).toBe(true);
      }),
    );
  });

  test('works on one item of a key at a time, in order, and on no more than it has slots', () => {
    fc.assert(
      fc.property(...cases, (list, concurrency, maxQueued, policy) => {
        const { done, overlaps, maxInWork } = workOn(list, concurrency, maxQueued, policy);
        expect(overlaps).toEqual([]);
        expect(maxInWork).toBeLessThanOrEqual(concurrency);
        for (const key of ['a', 'b', 'c']) {
          const ids = done.filter((job) => job.key === key).map((job) => job.id);
          expect(ids).toEqual([...ids].sort((a, b) => a - b));
        }
      }),
    );
  });
});
