import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WholeLines } from '../../../lib/workers/whole-lines.ts';

describe('whole lines', () => {
  test('are given when their newline has come', () => {
    const lines = new WholeLines();
    expect(lines.take('{"a"')).toEqual([]);
    expect(lines.take(':1}\n{"b":2}\n{"c"')).toEqual(['{"a":1}\n', '{"b":2}\n']);
    expect(lines.take(':3}\n')).toEqual(['{"c":3}\n']);
  });

  test('are the same however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (pieces) => {
        const lines = new WholeLines();
        const text = pieces.join('');
        const given = pieces.flatMap((piece) => lines.take(piece)).join('');
        expect(given).toBe(text.slice(0, text.lastIndexOf('\n') + 1));
      }),
    );
  });

  test('end where a writer forgets to end one', () => {
    const lines = new WholeLines();
    const endless = 'x'.repeat(1_048_577);
    expect(lines.take(endless)).toEqual([`${endless}\n`]);
    expect(lines.take('y\n')).toEqual(['y\n']);
  });
});
