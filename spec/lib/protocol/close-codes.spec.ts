import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { closeCodes, closeReason } from '../../../lib/protocol/close-codes.ts';

describe('closeCodes', () => {
  it('1.4 holds every code of the table', () => {
    expect(Object.values(closeCodes).sort()).toEqual([
      4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4100, 4200, 4201, 4202,
    ]);
  });

  it('1.4 never holds a code from 4300 on: pusher-js would stop for ever', () => {
    expect(Object.values(closeCodes).filter((code) => code >= 4300)).toEqual([]);
  });
});

describe('closeReason', () => {
  it('1.4 leaves a text of 123 bytes as it is', () => {
    expect(closeReason('x'.repeat(123))).toBe('x'.repeat(123));
  });

  it.each([
    ['one byte', 'x'.repeat(124), 'x'.repeat(123)],
    ['two bytes', 'é'.repeat(62), 'é'.repeat(61)],
    ['three bytes', '☃'.repeat(42), '☃'.repeat(41)],
    ['four bytes', '😀'.repeat(31), '😀'.repeat(30)],
  ])('1.4 cuts before a character of %s that does not fit', (_, text, expected) => {
    expect(closeReason(text)).toBe(expected);
  });

  it('1.4 returns the longest start of the text that fits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const reason = closeReason(text);
        const next = Array.from(text.slice(reason.length))[0] ?? '';
        expect(text.startsWith(reason)).toBe(true);
        expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
        expect(next === '' || Buffer.byteLength(reason + next) > 123).toBe(true);
      }),
    );
  });
});
