import { describe, expect, test } from '@jest/globals';
import { withMarked } from '../../bench/support/marked.ts';

const document = [
  'before',
  '<!-- bench:one -->',
  'old',
  '<!-- /bench:one -->',
  'between',
  '<!-- bench:two -->',
  '<!-- /bench:two -->',
].join('\n');

describe('a marked document', () => {
  test('gets what stands between its marks, and keeps the rest', () => {
    const texts = new Map([
      ['one', 'a $& b'],
      ['two', '| c |'],
    ]);
    expect(withMarked(document, texts)).toBe(
      [
        'before',
        '<!-- bench:one -->',
        'a $& b',
        '<!-- /bench:one -->',
        'between',
        '<!-- bench:two -->',
        '| c |',
        '<!-- /bench:two -->',
      ].join('\n'),
    );
  });

  test('keeps what the run did not measure', () => {
    expect(withMarked(document, new Map([['two', '| c |']]))).toBe(
      document.replace('<!-- bench:two -->', '<!-- bench:two -->\n| c |'),
    );
  });

  test('is refused when it has no place for a text', () => {
    expect(() => withMarked(document, new Map([['three', 'a']]))).toThrow('there is no mark of three');
  });

  test('is refused when a mark does not end', () => {
    expect(() => withMarked('<!-- bench:one -->\n', new Map([['one', 'a']]))).toThrow('does not end');
  });
});
