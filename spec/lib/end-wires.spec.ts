import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Subject } from 'rxjs';
import { type EndedSocket, endsSliceMs, endWires } from '../../lib/end-wires.ts';

/** Each wire takes a millisecond to destroy. */
function run() {
  let nowMs = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const ends$ = new Subject<EndedSocket>();
  const did: string[] = [];
  let queue: { readonly size: number } = { size: 0 };
  endWires(ends$, { flushOverdue: () => did.push('flush') }, (own) => (queue = own)).subscribe();
  const end = (name: string): void =>
    ends$.next({
      destroyWire: () => {
        nowMs++;
        did.push(name);
      },
    });
  const turn = (): string[] => {
    did.length = 0;
    jest.runOnlyPendingTimers();
    return did;
  };
  return { did, end, turn, waiting: () => queue.size };
}

describe('wires that end', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  test('are destroyed at once, behind what others wait for too long', () => {
    const { did, end, waiting } = run();
    end('a');
    end('b');
    expect([did, waiting()]).toEqual([['flush', 'a', 'flush', 'b'], 0]);
  });

  test('together are destroyed a few in each turn; what is overdue waits for none of them', () => {
    const { did, end, turn, waiting } = run();
    const names = Array.from({ length: 2 * endsSliceMs + 1 }, (_, index) => `${index}`);
    for (const name of names) end(name);
    expect(did.filter((what) => what === 'flush')).toHaveLength(names.length);
    expect(did.filter((what) => what !== 'flush')).toEqual(names.slice(0, endsSliceMs));
    expect(waiting()).toBe(names.length - endsSliceMs);
    expect(turn()).toEqual(names.slice(endsSliceMs, 2 * endsSliceMs));
    expect(turn()).toEqual(names.slice(2 * endsSliceMs));
    expect(waiting()).toBe(0);
  });
});
