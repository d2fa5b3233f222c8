import { describe, expect, it } from '@jest/globals';
import { createSocketId, isSocketId } from '../../../lib/protocol/socket-id.ts';

describe('createSocketId', () => {
  const ids = Array.from({ length: 2000 }, createSocketId);
  const halves = ids.flatMap((id) => id.split('.').map(Number));

  it('1.2 joins two integers below 2^53 with a dot', () => {
    expect(ids.filter((id) => !isSocketId(id))).toEqual([]);
    expect(halves.every((half) => Number.isSafeInteger(half))).toBe(true);
  });

  it('1.2 never repeats itself', () => {
    expect(new Set(halves).size).toBe(halves.length);
  });

  it('1.2 uses the whole range', () => {
    const mean = halves.reduce((sum, half) => sum + half / 2 ** 53, 0) / halves.length;
    expect(Math.max(...halves)).toBeGreaterThan(0.99 * 2 ** 53);
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
  });
});

describe('isSocketId', () => {
  it.each(['1.1', '1234.1234', '0.0'])('1.2 accepts %s', (id) => {
    expect(isSocketId(id)).toBe(true);
  });

  it.each([
    '',
    '1',
    '1.',
    '.1',
    '1.1.1',
    '1.1\n',
    ' 1.1',
    '1.a',
    '-1.1',
    '١.١',
    'undefined',
    '1:1',
    undefined,
    null,
    1.1,
    ['1.1'],
    {},
  ])('1.2 refuses %j', (id) => {
    expect(isSocketId(id)).toBe(false);
  });
});
