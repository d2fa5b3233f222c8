import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CanonicalJson } from '../../../lib/protocol/canonical-json.ts';
import { parseJson, stringifyJson } from '../../../lib/protocol/json.ts';
import { jsonTexts } from './json-texts.ts';

const json = new CanonicalJson(65_536);

/** The text inside a JSON string when all of it is one canonical value, undefined otherwise. */
function escapedOf(text: string): string | undefined {
  const bytes = Buffer.from(text);
  json.begin();
  if (json.readValue(bytes, 0) !== bytes.length) return undefined;
  return json.escaped.toString('utf8', 0, json.escapedBytes);
}

const inString = (text: string): string => JSON.stringify(text).slice(1, -1);

const canonical = [
  ...[
    '0',
    '7',
    '-7',
    '123456789012345',
    '1234567890123456',
    '0.1',
    '-0.5',
    '19.95',
    '0.000001',
    '100',
    '1e+21',
    '1e-7',
    '1.5e+300',
  ],
  ...['true', 'false', 'null', '""', '"a"', '"\\"\\\\\\n\\t\\b\\f\\r"', '"é☃💥"', '"\u2028\u007f/"'],
  ...['{}', '[]', '[[],{}]', '[1,"a",null]', '{"a":{"b":[1,{"a":2}]},"b":{"a":1}}', '{"":1,"__proto__":2}'],
  `${'['.repeat(32)}${']'.repeat(32)}`,
];

const leftToTheParser = [
  ...['', ' ', ' 1', '1 ', '[1, 2]', '{"a": 1}', '{ }', '[\n]', '\ufeff1'],
  ...[
    '-0',
    '1.0',
    '0.0000001',
    '1.50',
    '00.5',
    '1e3',
    '1E400',
    '1e400',
    '01',
    '-',
    '+1',
    '.5',
    '5.',
    '--1',
    'NaN',
    'Infinity',
    '12345678901234567890',
  ],
  ...['"\\/"', '"\\u0041"', '"\\u001f"', '"\\ud800"', '"\\x"', '"a', '"\\', '"\n"', '"\u0000"', "'a'"],
  ...[
    '{"a":1,"a":2}',
    '{"a":1,"b":{"c":1},"a":2}',
    '{"b":1,"1":2}',
    '{"\\u0061":1}',
    '{a:1}',
    '{1:1}',
    '{"a"}',
  ],
  ...[
    '[1,]',
    '[,1]',
    '{"a":1,}',
    '{,}',
    '[1 2]',
    '[1}',
    '{"a":1]',
    '[',
    '{',
    '{"a":',
    '[1',
    ']',
    '}',
    'tru',
    'nulL',
  ],
  `${'['.repeat(34)}${']'.repeat(34)}`,
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
];

describe('CanonicalJson', () => {
  it.each(canonical)('reads %s', (text) => {
    expect(escapedOf(text)).toBe(inString(text));
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it.each(leftToTheParser)('leaves %j to the parser', (text) => {
    expect(escapedOf(text)).toBeUndefined();
  });

  it('reads what stands between other things', () => {
    const bytes = Buffer.from('{"data":{"a":[1,"é"]},"channel":"c"}');
    json.begin();
    expect(json.readValue(bytes, 8)).toBe(bytes.indexOf(',"channel'));
    expect(json.isAscii).toBe(false);
  });

  it('knows ASCII again after a text that is not', () => {
    expect(escapedOf('"é"')).toBe(inString('"é"'));
    json.begin();
    expect(json.readValue(Buffer.from('"e"'), 0)).toBe(3);
    expect(json.isAscii).toBe(true);
  });

  it('reads every value that JSON.stringify wrote of short keys and plain strings', () => {
    const plain = fc.stringMatching(/^[ -~é☃]{0,20}$/);
    const key = fc.stringMatching(/^[a-z_]{1,12}$/);
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }),
        fc.dictionary(key, plain),
        (a, b) => {
          const text = JSON.stringify([b, Array.isArray(a) ? a.length : typeof a]);
          return escapedOf(text) === inString(text);
        },
      ),
    );
  });

  it('reads a list of many objects with the same keys', () => {
    const text = JSON.stringify(
      Array.from({ length: 300 }, (_, id) => ({ id, sku: 'A-1', price: id / 100 })),
    );
    expect(escapedOf(text)).toBe(inString(text));
  });

  it('reads exactly those decimals that JSON.stringify writes', () => {
    const digits = fc.stringMatching(/^[0-9]{1,12}$/);
    fc.assert(
      fc.property(fc.constantFrom('', '-'), digits, fc.option(digits), (sign, whole, fraction) => {
        const text = `${sign}${whole}${fraction === null ? '' : `.${fraction}`}`;
        expect(escapedOf(text)).toBe(String(Number(text)) === text ? text : undefined);
      }),
      { numRuns: 3_000 },
    );
  });

  it('reads nothing that the parser would read or write otherwise', () => {
    let read = 0;
    fc.assert(
      fc.property(jsonTexts, (text) => {
        const wellFormed = Buffer.from(text).toString('utf8');
        const escaped = escapedOf(wellFormed);
        if (escaped === undefined) return;
        read++;
        expect(stringifyJson(parseJson(wellFormed))).toBe(wellFormed);
        expect(escaped).toBe(inString(wellFormed));
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(500);
  });
});
