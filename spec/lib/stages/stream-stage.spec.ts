import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { concatMap, delay, EMPTY, filter, map, type Observable, of, Subject, timer } from 'rxjs';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import type { PublishedEvent } from '../../../lib/stages/events.ts';
import { errorExit, pipeline } from '../../../lib/stages/pipeline.ts';
import { runPipeline } from '../../../lib/stages/runner.ts';
import {
  type BatchStageLimits,
  DROP,
  type EffectStageLimits,
  type StreamStageLimits,
} from '../../../lib/stages/stage.ts';
import { settled } from '../flow/promises.ts';
import { specParts } from '../spec-parts.ts';
import { promised, runEvents } from './event-run.ts';

const slot = 'publish:accepted';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('an effect', () => {
  /** A stage whose answers the spec gives. */
  function effects(limits: Partial<EffectStageLimits> = {}) {
    const answers = new Map<string, ReturnType<typeof promised<void>>>();
    const stage = defineStage({
      name: 'spec',
      slot,
      effect: (event) => {
        const answer = promised<void>();
        answers.set(event.data, answer);
        return answer.promise.then(() => event);
      },
      limits: {
        concurrency: 2,
        timeoutMs: 1_000,
        queue: { capacity: 10, overflow: 'reject' },
        ...limits,
      },
    });
    const finish = async (data: string): Promise<void> => {
      answers.get(data)?.resolve();
      await settled();
    };
    return { answers, finish, ...runEvents([stage]) };
  }

  test('works on several items at once, and on no more than it may', () => {
    const { send, answers } = effects();
    send('a@x', 'b@y', 'c@z');
    expect([...answers.keys()]).toEqual(['a', 'b']);
  });

  test('works on one item of a key after the other', async () => {
    const { send, answers, finish } = effects();
    send('a@x', 'b@x', 'c@y');
    const before = [...answers.keys()];
    await finish('a');
    expect([before, [...answers.keys()]]).toEqual([
      ['a', 'c'],
      ['a', 'c', 'b'],
    ]);
  });

  test('lets other keys overtake', async () => {
    const { send, out, finish } = effects();
    send('a@x', 'b@y');
    await finish('b');
    await finish('a');
    expect(out).toEqual(['b', 'a']);
  });

  test('that is late loses its item and gives its slot back', async () => {
    const { send, answers, refused } = effects({ concurrency: 1 });
    send('a@x', 'b@y');
    await jest.advanceTimersByTimeAsync(1_000);
    expect([refused, [...answers.keys()]]).toEqual([[['a', 'stage.timeout']], ['a', 'b']]);
  });

  test('that fails loses one item, counted', async () => {
    const { send, answers, refused, stats } = effects();
    send('a');
    answers.get('a')?.reject(new Error('broken'));
    await settled();
    expect([refused, stats('spec').failed]).toEqual([[['a', 'stage.failed']], 1]);
  });

  test('that fails ten times in a row is tripped, for thirty seconds', async () => {
    const failing = defineStage({
      name: 'spec',
      slot,
      effect: () => Promise.reject(new Error('broken')),
      limits: { concurrency: 1, timeoutMs: 100, queue: { capacity: 100, overflow: 'reject' } },
    });
    const { send, log, stats, clock } = runEvents([failing]);
    for (let i = 0; i < 12; i++) send(`${i}`);
    await jest.advanceTimersByTimeAsync(10);
    const asked = stats('spec').received;
    clock.advance(30_000);
    send('x');
    await jest.advanceTimersByTimeAsync(10);
    expect([asked, stats('spec').received, log.all('stage.tripped').length]).toEqual([10, 11, 1]);
  });

  test('may drop an item', async () => {
    const dropping = defineStage({
      name: 'spec',
      slot,
      effect: (event) => Promise.resolve(event.data === 'a' ? DROP : event),
      limits: { concurrency: 1, timeoutMs: 100, queue: { capacity: 10, overflow: 'reject' } },
    });
    const { send, out, refused, stats } = runEvents([dropping]);
    send('a', 'b');
    await settled();
    expect([out, refused, stats('spec').dropped]).toEqual([['b'], [], 1]);
  });

  test('may answer an Observable of any number of items', () => {
    const stage = defineStage({
      name: 'spec',
      slot,
      effect: (event) => (event.data === 'none' ? EMPTY : of(event, event)),
      limits: { concurrency: 1, timeoutMs: 100, queue: { capacity: 10, overflow: 'reject' } },
    });
    const { send, out } = runEvents([stage]);
    send('a', 'none', 'b');
    expect(out).toEqual(['a', 'a', 'b', 'b']);
  });

  test('shows how many items wait', () => {
    const { send, stats } = effects({ concurrency: 1 });
    send('a', 'b', 'c');
    expect(stats('spec').depth()).toBe(2);
  });

  test('is waited for when the source completes', async () => {
    const { send, finish, complete, completed, out } = effects();
    send('a');
    complete();
    await finish('a');
    await completed;
    expect(out).toEqual(['a']);
  });

  describe('whose queue is full', () => {
    const full = (overflow: EffectStageLimits['queue']['overflow']) =>
      effects({ concurrency: 1, queue: { capacity: 1, overflow } });

    test.each([
      ['reject', ['a', 'b'], [['c', 'http.overloaded']]],
      ['drop-newest', ['a', 'b'], []],
      ['drop-oldest', ['a', 'c'], []],
    ] as const)('with %s does as it says', async (overflow, worked, told) => {
      const { send, answers, finish, refused } = full(overflow);
      send('a@x', 'b@y', 'c@z');
      await finish('a');
      expect([[...answers.keys()], refused]).toEqual([worked, told]);
    });

    test.each(['reject', 'drop-newest', 'drop-oldest'] as const)('with %s tells', (overflow) => {
      const { send, log, stats } = full(overflow);
      send('a@x', 'b@y', 'c@z');
      expect([log.all('stage.overflow'), stats('spec').overflowed]).toEqual([
        [{ stage: 'spec', policy: overflow, dropped: 1 }],
        1,
      ]);
    });
  });
});

describe('a stream', () => {
  function streams(
    stream: (items$: Observable<PublishedEvent>) => Observable<PublishedEvent>,
    limits: Partial<StreamStageLimits> = {},
  ) {
    return runEvents([
      defineStage({
        name: 'spec',
        slot,
        stream,
        limits: { queue: { capacity: 3, overflow: 'reject' }, maxHoldMs: 1_000, ...limits },
      }),
    ]);
  }

  test('is any operator', () => {
    const { send, out } = streams((items$) => items$.pipe(map((e) => ({ ...e, data: `${e.data}!` }))));
    send('a', 'b');
    expect(out).toEqual(['a!', 'b!']);
  });

  test('counts what goes in and what comes out', () => {
    const { send, stats } = streams((items$) => items$.pipe(filter(({ data }) => data === 'a')));
    send('a', 'b');
    const { received, passed } = stats('spec');
    expect({ received, passed }).toEqual({ received: 2, passed: 1 });
  });

  test('holds no more than it may: the sender of what comes then is told', () => {
    const { send, refused, stats } = streams((items$) => items$.pipe(delay(500)));
    send('a', 'b', 'c', 'd');
    expect([refused, stats('spec').depth()]).toEqual([[['d', 'http.overloaded']], 3]);
  });

  test('that drops what comes too much tells it in the log only', () => {
    const drop = { capacity: 1, overflow: 'drop-newest' } as const;
    const { send, refused, log } = streams((items$) => items$.pipe(delay(500)), { queue: drop });
    send('a', 'b');
    expect([refused, log.all('stage.overflow')]).toEqual([
      [],
      [{ stage: 'spec', policy: 'drop-newest', dropped: 1 }],
    ]);
  });

  test('has room again for what it held too long', () => {
    const { send, stats, clock, refused } = streams((items$) => items$.pipe(filter(() => false)));
    send('a', 'b', 'c');
    clock.advance(1_000);
    send('d');
    expect([refused, stats('spec').overflowed]).toEqual([[], 0]);
  });

  describe('that errors', () => {
    const breaking = () =>
      streams((items$) =>
        items$.pipe(
          concatMap((event) => timer(event.data === 'break' ? 0 : 50).pipe(map(() => event))),
          map((event) => {
            if (event.data === 'break') throw new Error('broken');
            return event;
          }),
        ),
      );

    test('is started again', async () => {
      const { send, out } = breaking();
      send('break');
      await jest.advanceTimersByTimeAsync(200);
      send('a');
      await jest.advanceTimersByTimeAsync(50);
      expect(out).toEqual(['a']);
    });

    test('is told with what it held, counted as lost', async () => {
      const { send, log, stats } = breaking();
      send('break', 'a', 'b');
      await jest.advanceTimersByTimeAsync(0);
      expect([log.all('stage.restarted'), stats('spec').failed]).toEqual([
        [{ stage: 'spec', attempt: 1, lost: 3 }],
        3,
      ]);
    });

    test('is named in the log', async () => {
      const { send, log } = breaking();
      send('break');
      await jest.advanceTimersByTimeAsync(0);
      expect(log.all('stage.failed')).toMatchObject([{ stage: 'spec', code: 'stage.failed' }]);
    });
  });

  test('that answers an item that is none is started again', () => {
    const { send, log } = streams((items$) => items$.pipe(map(() => undefined as never)));
    send('a');
    expect(log.all('stage.failed')).toMatchObject([{ stage: 'spec', code: 'stage.invalid' }]);
  });

  test('that is no Observable is told what to do', () => {
    const { log } = streams(() => undefined as never);
    expect(log.all('stage.failed')).toMatchObject([{ code: 'stage.invalid' }]);
  });
});

describe('a batch', () => {
  function batches(
    work: (batch: readonly string[]) => Promise<string> | string,
    {
      capacity = 10,
      mode = 'batched' as const,
      ...own
    }: Partial<BatchStageLimits<string>> & { readonly capacity?: number } = {},
  ) {
    const { parts, clock } = specParts();
    const source$ = new Subject<string>();
    const out: string[] = [];
    const told: string[] = [];
    const batch = defineStage({
      name: 'spec',
      batchEffect: work,
      limits: {
        mode,
        batch: { maxSize: 2, maxWaitMs: 50 },
        concurrency: 1,
        timeoutMs: 1_000,
        retryPausesMs: [100],
        queue: { capacity, overflow: 'inline', breaker: { refusals: 2, resetMs: 30_000 } },
        reports: {
          onInline: (reason) => told.push(reason),
          onBreakerOpened: () => told.push('opened'),
          onBreakerClosed: () => told.push('closed'),
          onRetry: () => told.push('retry'),
          onLate: () => told.push('late'),
        },
        ...own,
      },
    });
    const collect = defineStage({ name: 'collect', tap: (text: string) => out.push(text) });
    const refused: unknown[] = [];
    const exit = errorExit([], (_error, item: unknown) => refused.push(item));
    const running = runPipeline(
      pipeline<unknown, string>('spec').to(batch).to(collect).refused(exit),
      source$,
      parts,
      { signal: new AbortController().signal },
    );
    const send = (...items: readonly string[]): void => items.forEach((item) => source$.next(item));
    return { send, out, told, clock, refused, stats: running.stats[0]! };
  }
  const joined = (batch: readonly string[]) => batch.join('');

  test('closes by size', () => {
    const { send, out } = batches(joined);
    send('a', 'b', 'c');
    expect(out).toEqual(['ab']);
  });

  test('closes by time', async () => {
    const { send, out } = batches(joined);
    send('a');
    await jest.advanceTimersByTimeAsync(50);
    expect(out).toEqual(['a']);
  });

  test('whose queue is full works on the item alone, at once, counts it and tells', () => {
    const { send, out, told, stats } = batches(joined, { capacity: 1 });
    send('a', 'b');
    expect([out, told, stats.overflowed]).toEqual([['b'], ['queue-full'], 1]);
  });

  test('whose queue was full too often shows its breaker open', () => {
    const { send, told, stats } = batches(joined, { capacity: 1 });
    const before = stats.isBreakerOpen();
    send('a', 'b', 'c', 'd');
    expect([before, stats.isBreakerOpen(), told.slice(-3)]).toEqual([
      false,
      true,
      ['opened', 'queue-full', 'breaker-open'],
    ]);
  });

  test('without a queue found none full', () => {
    const { send, out, told, stats } = batches(joined, { mode: 'inline' });
    send('a', 'b');
    expect([out, told, stats.overflowed]).toEqual([['a', 'b'], [], 0]);
  });

  test('shows what is not done, and since when', () => {
    const { send, stats, clock } = batches(() => promised<string>().promise);
    send('a', 'b', 'c');
    clock.advance(7);
    expect([stats.depth(), stats.oldestAgeMs()]).toEqual([3, 7]);
  });

  test('that fails loses nothing: it is counted, the next has its turn, and it is tried again', async () => {
    let isAway = true;
    const { send, out, refused, told, stats } = batches((batch) => {
      if (batch.includes('a') && isAway) throw new Error('away');
      return joined(batch);
    });
    send('a', 'b', 'c', 'd');
    const before = [...out];
    isAway = false;
    await jest.advanceTimersByTimeAsync(100);
    expect([before, out, refused, told]).toEqual([['cd'], ['cd', 'ab'], [], ['retry']]);
    expect([stats.received, stats.failed, stats.passed]).toEqual([4, 2, 2]);
  });

  test('that is late is told and waited for', async () => {
    const { promise, resolve } = promised<string>();
    const { send, out, told } = batches(() => promise);
    send('a', 'b');
    await jest.advanceTimersByTimeAsync(1_000);
    resolve('ab');
    await settled();
    expect([out, told]).toEqual([['ab'], ['late']]);
  });
});

test('an order holds also behind a stage that takes time', async () => {
  const takes = new Map([
    ['a', 30],
    ['b', 10],
  ]);
  const seen: string[] = [];
  const effect = defineStage({
    name: 'effect',
    slot,
    effect: (event) => of(event),
    limits: { concurrency: 10, timeoutMs: 1_000, queue: { capacity: 10, overflow: 'reject' } },
  });
  const wait = defineStage({
    name: 'wait',
    slot,
    map: (event): Promise<PublishedEvent> =>
      new Promise((resolve) => setTimeout(() => resolve(event), takes.get(event.data))),
  });
  const note = defineStage({ name: 'note', slot, tap: ({ data }) => seen.push(data) });
  const { send } = runEvents([effect, wait, note]);
  send('a@x', 'b@x');
  await jest.advanceTimersByTimeAsync(100);
  expect(seen).toEqual(['a', 'b']);
});

test('limits made from the context are looked at before anything runs', () => {
  const stage = defineStage({
    name: 'careless',
    slot,
    effect: (event) => of(event),
    limits: () => ({ concurrency: 0, timeoutMs: 1_000, queue: { capacity: 10, overflow: 'reject' } }),
  });
  expect(() => runEvents([stage])).toThrow(
    'Stage careless cannot be used: limits.concurrency must be a whole number, 1 or more',
  );
});
