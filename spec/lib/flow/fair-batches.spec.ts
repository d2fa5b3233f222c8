import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { map, mergeMap, of, timer } from 'rxjs';
import {
  type Batch,
  type BatchShape,
  FairBatches,
  type NextTurn,
  nextTurn,
} from '../../../lib/flow/fair-batches.ts';
import { type Marbles, marbles } from './marbles.ts';

const joined = (batch: readonly string[]): string => batch.join('');
/** Small letters are one group, capitals another. */
const byCase = (item: string): string => (item === item.toLowerCase() ? 'small' : 'capital');
/** The letters up to m are urgent. */
const isUrgent = (item: string): boolean => item.toLowerCase() <= 'm';

interface Run {
  readonly shape: Partial<BatchShape<string>>;
  readonly slots?: number;
  /** How long each batch keeps its slot; 0: it is done at once. */
  readonly takesMs?: number;
}

/** Checks which batches leave, and when; `values` names them. */
function expectBatches(source: string, expected: string, values: Record<string, string>, run: Run): void {
  marbles(({ hot, expectObservable, flush }) => {
    const { shape, slots = 1, takesMs = 0 } = run;
    const batches = new FairBatches<string>({ maxSize: 2, maxWaitMs: 6, ...shape }, slots);
    expectObservable(batches.batches$.pipe(map(joined))).toBe(expected, values);
    const work$ = batches.batches$.pipe(mergeMap(() => (takesMs === 0 ? of(0) : timer(takesMs))));
    work$.subscribe(() => batches.free());
    hot(source).subscribe({ next: (item) => batches.push(item), complete: () => batches.complete() });
    flush();
  });
}

describe('a batch', () => {
  test('closes by size', () => {
    const source = '   -a-b-c-d-------';
    const expected = ' ---x---y-------';
    expectBatches(source, expected, { x: 'ab', y: 'cd' }, { shape: {} });
  });

  test('closes by what its items weigh, however few they are', () => {
    const source = '   -a-B-c-d-E-------';
    const expected = ' ---x-----y-------';
    const weightOf = (item: string) => (item === item.toLowerCase() ? 1 : 7);
    expectBatches(
      source,
      expected,
      { x: 'aB', y: 'cdE' },
      { shape: { maxSize: 4, maxWaitMs: 50, weightOf } },
    );
  });

  test('that waited takes along no more than it may weigh', () => {
    const batches = new FairBatches<string>({ maxSize: 4, maxWaitMs: 6, weightOf: () => 3 }, 0);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    for (const item of 'a b c d e'.split(' ')) batches.push(item);
    for (let i = 0; i < 3; i++) batches.free();
    batches.complete();
    expect(seen).toEqual(['ab', 'cd', 'e']);
  });

  test('closes by time, counted from its first item', () => {
    const source = '   -a-b-------------';
    const expected = ' -------x---------';
    expectBatches(source, expected, { x: 'ab' }, { shape: { maxSize: 9 } });
  });

  test('closes at completion', () => {
    const source = '   -a-|      ';
    const expected = ' ---x------';
    expectBatches(source, expected, { x: 'a' }, { shape: {} });
  });

  test('never mixes groups', () => {
    const source = '   --a-b-A-----c----|';
    const expected = ' ----x-------y----z';
    expectBatches(source, expected, { x: 'ab', y: 'A', z: 'c' }, { shape: { by: byCase } });
  });

  test('that waits for a slot is filled by what comes meanwhile', () => {
    const source = '   -(abcd)-e-f---------------';
    const expected = ' -x---------y--------------';
    const run = { shape: { maxSize: 4, maxWaitMs: 3 }, takesMs: 10 };
    expectBatches(source, expected, { x: 'abcd', y: 'ef' }, run);
  });

  test('that waited takes along what came meanwhile; what comes then has a window again', () => {
    marbles(({ now, flush }) => {
      const batches = new FairBatches<string>({ maxSize: 9, maxWaitMs: 6 }, 0);
      const seen: (readonly [number, string])[] = [];
      batches.batches$.subscribe((batch) => seen.push([now(), joined(batch)]));
      batches.push('a');
      timer(8).subscribe(() => batches.push('b'));
      timer(9).subscribe(() => batches.free());
      timer(10).subscribe(() => {
        batches.push('c');
        batches.free();
      });
      flush();
      expect(seen).toEqual([
        [9, 'ab'],
        [14, 'c'],
      ]);
    });
  });

  test('that is handed in again leaves as it was, before what came later', () => {
    const batches = new FairBatches<string>({ maxSize: 2, maxWaitMs: 6 }, 0);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    for (const item of ['a', 'b', 'c', 'd']) batches.push(item);
    batches.again(['x']);
    for (let i = 0; i < 3; i++) batches.free();
    expect(seen).toEqual(['x', 'ab', 'cd']);
  });
});

describe('slots', () => {
  test('are never exceeded', () => {
    const source = '   -(abcdef)-------------';
    const expected = ' -(xy)-z--------------';
    const run = { shape: {}, slots: 2, takesMs: 5 };
    expectBatches(source, expected, { x: 'ab', y: 'cd', z: 'ef' }, run);
  });

  test('that are free are used at once', () => {
    const source = '   -(abcd)------';
    const expected = ' -(xy)--------';
    expectBatches(source, expected, { x: 'ab', y: 'cd' }, { shape: {} });
  });
});

describe('with one batch a turn', () => {
  /** In virtual time a turn is a millisecond. */
  const pacedBy: NextTurn = (work) => {
    const turn = timer(1).subscribe(work);
    return () => turn.unsubscribe();
  };

  test('a storm is worked on batch by batch', () => {
    const source = '   -(abcdefg)------------';
    const expected = ' --xyz-t--------------';
    const values = { x: 'ab', y: 'cd', z: 'ef', t: 'g' };
    expectBatches(source, expected, values, { shape: { maxWaitMs: 5, pacedBy } });
  });

  test('a batch waits for its turn and for a slot', () => {
    const source = '   -(abcdef)-------------';
    const expected = ' --xy---z-------------';
    const run = { shape: { pacedBy }, slots: 2, takesMs: 5 };
    expectBatches(source, expected, { x: 'ab', y: 'cd', z: 'ef' }, run);
  });

  test('none leaves in the stack of whoever pushes, and one in a turn', () => {
    const turns: (() => void)[] = [];
    const byHand: NextTurn = (work) => {
      turns.push(work);
      return () => undefined;
    };
    const batches = new FairBatches<string>({ maxSize: 1, maxWaitMs: 6, pacedBy: byHand }, 9);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    const seenAfter = (step: () => void): string => {
      step();
      return joined(seen);
    };
    const turn = () => turns.shift()?.();
    expect([
      seenAfter(() => batches.push('a')),
      seenAfter(() => batches.push('b')),
      seenAfter(turn),
      seenAfter(() => batches.free()),
      seenAfter(turn),
      seenAfter(() => batches.push('c')),
      seenAfter(turn),
    ]).toEqual(['', '', 'a', 'a', 'ab', 'ab', 'abc']);
    batches.close();
  });

  test('what a window ends with leaves at its end', () => {
    const source = '   -a---b--------------';
    const expected = ' ----x---y-------------';
    const run = { shape: { maxSize: 9, maxWaitMs: 3, pacedBy } };
    expectBatches(source, expected, { x: 'a', y: 'b' }, run);
  });

  test('groups take turns', () => {
    const source = '   -(abcdAB)-------------';
    const expected = ' --xyz-----------------';
    const values = { x: 'ab', y: 'AB', z: 'cd' };
    expectBatches(source, expected, values, { shape: { by: byCase, pacedBy } });
  });

  test('completion waits for no turn', () => {
    const source = '   -(abcde|)-------------';
    const expected = ' -(xyz)----------------';
    expectBatches(source, expected, { x: 'ab', y: 'cd', z: 'e' }, { shape: { pacedBy } });
  });

  test.each(['complete', 'close'] as const)('no turn is awaited after %s', (end) => {
    let awaited = 0;
    const batches = new FairBatches<string>(
      {
        maxSize: 1,
        maxWaitMs: 6,
        pacedBy: () => {
          awaited++;
          return () => awaited--;
        },
      },
      1,
    );
    batches.push('a');
    expect(awaited).toBe(1);
    batches[end]();
    expect(awaited).toBe(0);
  });
});

describe('nextTurn', () => {
  const aTurn = (): Promise<void> => new Promise((done) => setImmediate(done));

  test('calls back once the stack has ended', async () => {
    const seen: string[] = [];
    nextTurn(() => seen.push('turn'));
    seen.push('stack');
    await aTurn();
    expect(seen).toEqual(['stack', 'turn']);
  });

  test('calls nobody back who has taken it back', async () => {
    const seen: string[] = [];
    nextTurn(() => seen.push('turn'))();
    await aTurn();
    expect(seen).toEqual([]);
  });
});

describe('groups take turns', () => {
  test('so that the many items of one do not hold up the few of another', () => {
    const source = '   -(abcdefghAB)---------------------';
    const expected = ' -u----v----w----x----y------------';
    const run = { shape: { by: byCase }, takesMs: 5 };
    expectBatches(source, expected, { u: 'ab', v: 'cd', w: 'AB', x: 'ef', y: 'gh' }, run);
  });

  test('one batch each while both have many', () => {
    const source = '   -(abcdefABCD)---------------------';
    const expected = ' -u----v----w----x----y------------';
    const run = { shape: { by: byCase }, takesMs: 5 };
    expectBatches(source, expected, { u: 'ab', v: 'cd', w: 'AB', x: 'ef', y: 'CD' }, run);
  });
});

describe('urgent items', () => {
  test('leave before others of their group, which fill the batch', () => {
    const source = '   -(zyxab)----------------';
    const expected = ' -t----u----v-----------';
    const run = { shape: { isUrgent }, takesMs: 5 };
    expectBatches(source, expected, { t: 'zy', u: 'ab', v: 'x' }, run);
  });

  test('do not go before other groups', () => {
    const source = '   -(yzabcdYZ)---------------';
    const expected = ' -t----u----v----w--------';
    const run = { shape: { isUrgent, by: byCase }, takesMs: 5 };
    expectBatches(source, expected, { t: 'yz', u: 'ab', v: 'YZ', w: 'cd' }, run);
  });

  test('hold up others of their group for four batches in a row and no longer', () => {
    const batches = new FairBatches<string>({ maxSize: 1, maxWaitMs: 6, isUrgent }, 0);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    for (const item of 'z y a b c d e f g h i j'.split(' ')) batches.push(item);
    for (let i = 0; i < 12; i++) batches.free();
    expect(seen.join('')).toBe('abcdzefghyij');
  });
});

describe('an item that comes from working on a batch', () => {
  test.each([
    [
      'closed by time',
      9,
      [
        [6, 'a'],
        [12, 'b'],
      ],
    ],
    [
      'closed by size',
      1,
      [
        [0, 'a'],
        [0, 'b'],
      ],
    ],
  ] as const)('%s is kept', (_, maxSize, expected) => {
    marbles(({ now, flush }) => {
      const batches = new FairBatches<string>({ maxSize, maxWaitMs: 6 }, 1);
      const seen: (readonly [number, string])[] = [];
      batches.batches$.subscribe((batch) => {
        seen.push([now(), joined(batch)]);
        if (batch[0] === 'a') batches.push('b');
        batches.free();
      });
      batches.push('a');
      flush();
      expect(seen).toEqual(expected);
    });
  });

  test('long after completion waits for nothing', () => {
    const batches = new FairBatches<string>({ maxSize: 9, maxWaitMs: 6 }, 9);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    batches.complete();
    batches.push('a');
    expect(seen).toEqual(['a']);
  });

  test('during completion waits for nothing', () => {
    const batches = new FairBatches<string>({ maxSize: 9, maxWaitMs: 6 }, 1);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => {
      seen.push(joined(batch));
      if (batch[0] === 'a') batches.push('b');
      batches.free();
    });
    batches.push('a');
    batches.complete();
    expect(seen).toEqual(['a', 'b']);
  });
});

describe('an idle queue', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('never wakes: no timer runs before an item and none after its window', () => {
    const batches = new FairBatches<string>({ maxSize: 2, maxWaitMs: 5 }, 9);
    const timers = [jest.getTimerCount()];
    batches.push('a');
    timers.push(jest.getTimerCount());
    jest.advanceTimersByTime(5);
    expect([...timers, jest.getTimerCount()]).toEqual([0, 1, 0]);
  });

  test.each(['complete', 'close'] as const)('leaves no timer behind after %s', (end) => {
    const batches = new FairBatches<string>({ maxSize: 2, maxWaitMs: 5 }, 9);
    batches.push('a');
    batches[end]();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('hands nothing out once it is closed', () => {
    const batches = new FairBatches<string>({ maxSize: 1, maxWaitMs: 5 }, 0);
    const seen: string[] = [];
    batches.batches$.subscribe((batch) => seen.push(joined(batch)));
    batches.push('a');
    batches.close();
    batches.free();
    expect(seen).toEqual([]);
  });
});

interface Arrival {
  readonly group: string;
  readonly isUrgent: boolean;
  readonly id: number;
  readonly atMs: number;
}

const arrivals = fc
  .array(fc.record({ group: fc.constantFrom('a', 'b', 'c'), isUrgent: fc.boolean(), gap: fc.nat(8) }), {
    maxLength: 60,
  })
  .map((gaps) => {
    let atMs = 0;
    return gaps.map(({ gap, ...arrival }, id): Arrival => ({ ...arrival, id, atMs: (atMs += gap) }));
  });

/** What becomes of the arrivals: each batch with the time it left. */
function batched(
  items: readonly Arrival[],
  [maxSize, maxWaitMs, slots, takesMs]: readonly [number, number, number, number],
) {
  const left: { readonly atMs: number; readonly batch: Batch<Arrival> }[] = [];
  let inWork = 0;
  let mostInWork = 0;
  marbles(({ now, flush }: Marbles) => {
    const shape = {
      maxSize,
      maxWaitMs,
      by: ({ group }: Arrival) => group,
      isUrgent: (one: Arrival) => one.isUrgent,
    };
    const batches = new FairBatches<Arrival>(shape, slots);
    const work$ = batches.batches$.pipe(
      mergeMap((batch) => {
        left.push({ atMs: now(), batch });
        mostInWork = Math.max(mostInWork, ++inWork);
        return timer(takesMs);
      }),
    );
    work$.subscribe(() => {
      inWork--;
      batches.free();
    });
    for (const item of items) timer(item.atMs).subscribe(() => batches.push(item));
    flush();
  });
  return { left, mostInWork };
}

describe('for any arrivals and limits', () => {
  const limits = fc.tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 3 }),
    fc.nat(12),
  );

  test('every item leaves once, in batches of one group that are not too large, in no more slots than there are', () => {
    fc.assert(
      fc.property(arrivals, limits, (items, numbers) => {
        const { left, mostInWork } = batched(items, numbers);
        const ids = left.flatMap(({ batch }) => batch.map(({ id }) => id));
        expect(ids.sort((a, b) => a - b)).toEqual(items.map(({ id }) => id));
        for (const { batch } of left) {
          expect(batch.length).toBeLessThanOrEqual(numbers[0]);
          expect(new Set(batch.map(({ group }) => group)).size).toBe(1);
        }
        expect(mostInWork).toBeLessThanOrEqual(numbers[2]);
      }),
    );
  });

  test('items of one group and urgency leave in the order they came', () => {
    fc.assert(
      fc.property(arrivals, limits, (items, numbers) => {
        const out = batched(items, numbers).left.flatMap(({ batch }) => batch);
        for (const group of ['a', 'b', 'c']) {
          for (const urgent of [true, false]) {
            const isIt = (one: Arrival) => one.group === group && one.isUrgent === urgent;
            expect(out.filter(isIt)).toEqual(items.filter(isIt));
          }
        }
      }),
    );
  });

  test('no item waits longer than `maxWaitMs` while there are slots', () => {
    fc.assert(
      fc.property(arrivals, limits, (items, [maxSize, maxWaitMs, , takesMs]) => {
        for (const { atMs, batch } of batched(items, [maxSize, maxWaitMs, 100, takesMs]).left) {
          for (const item of batch) expect(atMs - item.atMs).toBeLessThanOrEqual(maxWaitMs);
        }
      }),
    );
  });
});
