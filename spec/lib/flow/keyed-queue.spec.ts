import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KeyedQueue } from '../../../lib/flow/keyed-queue.ts';

describe('a keyed queue', () => {
  test('gives items of different keys in the order they came', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.push('b', 2);
    queue.push('c', 3);
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([
      { key: 'a', item: 1 },
      { key: 'b', item: 2 },
      { key: 'c', item: 3 },
    ]);
  });

  test('keeps the next item of a key until the one before is done', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.push('a', 2);
    queue.shift();
    expect(queue.shift()).toBeUndefined();
    queue.done('a');
    expect(queue.shift()).toEqual({ key: 'a', item: 2 });
  });

  test('lets another key overtake one that is busy', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.push('a', 2);
    queue.push('b', 3);
    queue.shift();
    expect(queue.shift()).toEqual({ key: 'b', item: 3 });
  });

  test('holds an item that comes while its key is busy', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.shift();
    queue.push('a', 2);
    expect(queue.shift()).toBeUndefined();
  });

  test('frees a key that is done and has nothing behind it', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.shift();
    queue.done('a');
    queue.push('a', 2);
    expect(queue.shift()).toEqual({ key: 'a', item: 2 });
  });

  test('counts what has not left, ready or behind a busy key', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.push('a', 2);
    queue.push('b', 3);
    expect(queue.size).toBe(3);
    queue.shift();
    expect(queue.size).toBe(2);
    queue.done('a');
    expect(queue.size).toBe(2);
  });

  test('counts as ready what would leave at once', () => {
    const queue = new KeyedQueue<number>();
    queue.push('a', 1);
    queue.push('a', 2);
    queue.push('b', 3);
    expect(queue.ready).toBe(2);
    queue.shift();
    expect(queue.ready).toBe(1);
    queue.done('a');
    expect(queue.ready).toBe(2);
  });

  test('knows which keys are taken', () => {
    const queue = new KeyedQueue<number>();
    expect(queue.has('a')).toBe(false);
    queue.push('a', 1);
    expect(queue.has('a')).toBe(true);
    queue.shift();
    expect(queue.has('a')).toBe(true);
    queue.done('a');
    expect(queue.has('a')).toBe(false);
  });

  test('carries items that are undefined like any other', () => {
    const queue = new KeyedQueue<number | undefined>();
    queue.push('a', 1);
    queue.push('a', undefined);
    queue.push('a', 3);
    const left: (number | undefined)[] = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      left.push(next.item);
      queue.done(next.key);
    }
    expect(left).toEqual([1, undefined, 3]);
  });

  test('gives every item once, in order per key, one per key at a time', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ kind: fc.constant('shift' as const) }),
      fc.record({ kind: fc.constant('done' as const), pick: fc.nat(10) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new KeyedQueue<number>();
        const pushed: Record<string, number[]> = { a: [], b: [], c: [] };
        const left: Record<string, number[]> = { a: [], b: [], c: [] };
        const busy: string[] = [];
        const take = (): boolean => {
          const next = queue.shift();
          if (next === undefined) return false;
          const key = String(next.key);
          expect(busy).not.toContain(key);
          busy.push(key);
          left[key]!.push(next.item);
          return true;
        };
        const finish = (pick: number): void => {
          if (busy.length > 0) queue.done(busy.splice(pick % busy.length, 1)[0]);
        };
        steps.forEach((one, i) => {
          if (one.kind === 'push') {
            queue.push(one.key, i);
            pushed[one.key]!.push(i);
          } else if (one.kind === 'shift') take();
          else finish(one.pick);
        });
        while (queue.size > 0 || busy.length > 0) if (!take()) finish(0);
        expect(left).toEqual(pushed);
      }),
    );
  });
});
