import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Ring } from '../../../lib/flow/ring.ts';

describe('a ring', () => {
  test('gives items back in the order they came', () => {
    const ring = new Ring<string>();
    for (const item of ['a', 'b', 'c']) ring.push(item);
    expect([ring.shift(), ring.shift(), ring.shift()]).toEqual(['a', 'b', 'c']);
  });

  test('that is empty gives nothing, and goes on working', () => {
    const ring = new Ring<string>();
    expect(ring.shift()).toBeUndefined();
    expect(ring.peek()).toBeUndefined();
    expect(ring.size).toBe(0);
    ring.push('a');
    expect(ring.shift()).toBe('a');
  });

  test('shows its head without giving it away', () => {
    const ring = new Ring<string>();
    ring.push('a');
    ring.push('b');
    expect([ring.peek(), ring.peek()]).toEqual(['a', 'a']);
    expect(ring.size).toBe(2);
  });

  test('keeps the order when it grows while its head is in the middle', () => {
    const ring = new Ring<number>();
    for (let i = 0; i < 16; i++) ring.push(i);
    for (let i = 0; i < 10; i++) ring.shift();
    for (let i = 16; i < 60; i++) ring.push(i);
    const rest = Array.from({ length: ring.size }, () => ring.shift());
    expect(rest).toEqual(Array.from({ length: 50 }, (_, i) => i + 10));
  });

  test('behaves like an array under any sequence of pushes and shifts', () => {
    const bursts = fc.array(fc.record({ pushes: fc.nat(40), shifts: fc.nat(40) }), { maxLength: 20 });
    fc.assert(
      fc.property(bursts, (sequence) => {
        const ring = new Ring<number>();
        const model: number[] = [];
        let next = 0;
        for (const { pushes, shifts } of sequence) {
          for (let i = 0; i < pushes; i++) {
            ring.push(next);
            model.push(next++);
          }
          for (let i = 0; i < shifts; i++) expect(ring.shift()).toBe(model.shift());
          expect(ring.size).toBe(model.length);
          expect(ring.peek()).toBe(model[0]);
        }
      }),
    );
  });
});
