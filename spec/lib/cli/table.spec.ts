import { describe, expect, it } from '@jest/globals';
import { printable, table } from '../../../lib/cli/table.ts';

describe('a table', () => {
  it('has columns as wide as their widest cell, and nothing behind the last', () => {
    expect(
      table(
        ['A', 'LONGER', 'C'],
        [
          ['first', 'b', 'c'],
          ['2', '', ''],
        ],
      ),
    ).toBe('A      LONGER  C\nfirst  b       c\n2\n');
  });

  it('is its header when there are no rows', () => {
    expect(table(['A', 'B'], [])).toBe('A  B\n');
  });
});

describe('a text from outside', () => {
  it.each([
    ['an escape sequence', '\u001b[2J', '\ufffd[2J'],
    ['a line break', 'a\nb', 'a\ufffdb'],
    ['another direction', 'a\u202eb', 'a\ufffdb'],
    ['a line separator', 'a\u2028b', 'a\ufffdb'],
  ])('does not steer the terminal: %s', (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('is otherwise shown as it is', () => {
    expect(printable('Zoë – 日本 😀')).toBe('Zoë – 日本 😀');
  });
});
