import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonSyntaxError, parseJsonc } from '../../config/jsonc.ts';

function errorOf(text: string): JsonSyntaxError {
  try {
    parseJsonc(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw error;
  }
  throw new Error('expected a JsonSyntaxError');
}

describe('parseJsonc', () => {
  it('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJsonc(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('throws nothing but JsonSyntaxError, and accepts no text as a value that JSON.parse reads otherwise', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'{}[]",:0123.-+eE\\/*u tfn\n'.split('')) }),
        (text) => {
          try {
            parseJsonc(text);
          } catch (error) {
            expect(error).toBeInstanceOf(JsonSyntaxError);
            expect(() => JSON.parse(text) as unknown).toThrow();
          }
        },
      ),
    );
  });

  it('skips comments and a comma after the last entry', () => {
    const text = '\uFEFF// top\n{ "a": 1, /* here\n too */ "b": ["// no comment", 2,], // end\n}';
    expect(parseJsonc(text)).toEqual({ a: 1, b: ['// no comment', 2] });
  });

  it.each([
    ['an empty text', '', 1, 1, 'unexpected end'],
    ['a missing value', '{\n  "a": }', 2, 8, 'expected a value'],
    ['a missing comma', '{\n  "a": 1\n  "b": 2\n}', 3, 3, 'expected "," or "}"'],
    ['a missing colon', '{"a" 1}', 1, 6, 'expected ":"'],
    ['a name without quotes', '{a: 1}', 1, 2, 'expected a name in double quotes'],
    ['a string that is not closed', '["a]', 1, 2, 'this string is not closed'],
    ['a name given twice', '{"a": 1,\n "a": 2}', 2, 2, 'given twice'],
    ['text after the end', '{} x', 1, 4, 'expected the end'],
    ['a comment that is not closed', '{} /* x', 1, 4, 'expected the end'],
    ['a comma alone', '[,]', 1, 2, 'expected a value'],
    ['nesting without end', '['.repeat(100), 1, 66, 'nested deeper than 64 levels'],
  ])('says where %s is', (_what, text, line, column, problem) => {
    const error = errorOf(text);
    expect([error.line, error.column]).toEqual([line, column]);
    expect(error.message).toContain(problem);
  });

  it('never quotes the text, which may hold secrets', () => {
    expect(errorOf('{"secret": hunter2}').message).not.toContain('hunter2');
  });

  it('keeps a key called __proto__ as plain data', () => {
    const value = parseJsonc('{"__proto__": {"polluted": true}}') as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});
