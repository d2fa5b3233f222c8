import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Subject } from 'rxjs';
import { inTurns, type TurnQueue } from '../../../lib/flow/in-turns.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

/** Work of 1 ms on each item, 3 to 6 ms of it to a turn. */
function run({ share = 0, capacity = 100 } = {}) {
  let nowMs = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const source$ = new Subject<string>();
  const seen: string[] = [];
  let queue: TurnQueue = { size: 0, overflows: 0 };
  const limits = { share, leastMs: 3, mostMs: 6, capacity, onQueue: (own: TurnQueue) => (queue = own) };
  const subscription = source$.pipe(inTurns(limits)).subscribe({
    next: (item) => {
      nowMs++;
      seen.push(item);
    },
    complete: () => seen.push('|'),
  });
  const send = (items: string): void => {
    for (const item of items) source$.next(item);
  };
  /** What is passed on in the next turn, which comes when others have worked for so long. */
  const turn = (othersMs = 0): string => {
    const before = seen.length;
    nowMs += othersMs;
    jest.runOnlyPendingTimers();
    return seen.slice(before).join('');
  };
  return {
    source$,
    send,
    turn,
    subscription,
    seen: () => seen.join(''),
    waiting: () => queue.size,
    overflows: () => queue.overflows,
  };
}

describe('items', () => {
  test('are passed on at once while they take little time', () => {
    const { send, turn, seen } = run();
    send('abc');
    expect([seen(), turn()]).toEqual(['abc', '']);
    send('de');
    expect(seen()).toBe('abcde');
  });

  test('of a storm are spread over turns, in their order', () => {
    const { send, turn, seen, waiting } = run();
    send('abcdefgh');
    expect([seen(), waiting()]).toEqual(['abc', 5]);
    expect([turn(), turn(), turn(), waiting()]).toEqual(['def', 'gh', '', 0]);
  });

  test('take their share of a long turn, where that is longer', () => {
    const { send, turn, waiting } = run({ share: 1 / 10 });
    send('abcdefghijklmnop');
    expect([turn(10), turn(47), turn(10), waiting()]).toEqual(['def', 'ghijk', 'lmn', 2]);
  });

  test('take no more than the most, however long a turn was', () => {
    const { send, turn, waiting } = run({ share: 1 / 10 });
    send('abcdefghijklmnop');
    expect([turn(), turn(500), turn(), waiting()]).toEqual(['def', 'ghijkl', 'mno', 1]);
  });

  test('take no share of the time in which nothing waited', () => {
    const { send, turn } = run({ share: 1 / 10 });
    send('abcdef');
    expect([turn(), turn(), turn(1_000)]).toEqual(['def', '', '']);
    send('ghijk');
    expect(turn()).toBe('jk');
  });

  test('that come while others wait stand behind them', () => {
    const { send, turn } = run();
    send('abcd');
    expect(turn()).toBe('d');
    send('efgh');
    expect([turn(), turn()]).toEqual(['gh', '']);
  });
});

describe('with no room for one more', () => {
  test('the oldest is passed on at once, and counted', () => {
    const { send, turn, seen, waiting, overflows } = run({ capacity: 2 });
    send('abcde');
    expect([seen(), waiting(), overflows()]).toEqual(['abc', 2, 0]);
    send('fg');
    expect([seen(), waiting(), overflows()]).toEqual(['abcde', 2, 2]);
    expect([turn(), seen(), waiting()]).toEqual(['fg', 'abcdefg', 0]);
  });

  test('the end of the source still comes last', () => {
    const { source$, send, turn, seen } = run({ capacity: 1 });
    send('abcde');
    source$.complete();
    expect([seen(), turn()]).toEqual(['abcd', 'e|']);
  });
});

describe('the end of the source', () => {
  test('comes behind what waits', () => {
    const { source$, send, turn, seen } = run();
    send('abcd');
    source$.complete();
    expect([seen(), turn()]).toEqual(['abc', 'd|']);
  });

  test('is the end at once when nothing waits', () => {
    const { source$, send, seen } = run();
    send('a');
    source$.complete();
    expect(seen()).toBe('a|');
  });
});

test('unsubscribing leaves no turn behind', () => {
  const { send, subscription } = run();
  send('abcd');
  subscription.unsubscribe();
  expect(jest.getTimerCount()).toBe(0);
});
