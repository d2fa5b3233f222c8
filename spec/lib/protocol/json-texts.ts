import fc from 'fast-check';

const strings = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '',
    '\u0000',
    '\u001f',
    '\u007f',
    '"',
    '\\',
    '\n\t\b\f\r',
    '\u2028',
    '/',
    '💥',
    'é',
    '__proto__',
  ),
);
const keys = fc.oneof(
  strings,
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.constantFrom('0', '12', '-1', 'toString'),
);
const numbers = fc
  .oneof(fc.integer(), fc.double({ noNaN: true }), fc.maxSafeInteger())
  .map((number) => JSON.stringify(number));
/** Forms of numbers that change when they are parsed and written, forms that are no JSON, and some that stay. */
const oddNumbers = fc.constantFrom(
  ...['-0', '0', '1.0', '1e400', '-1e400', '1e3', '1E3', '1e+21', '1e21', '1e-7', '0.000001', '0.0000001'],
  ...[
    '9007199254740993',
    '123456789012345',
    '1234567890123456',
    '00',
    '01',
    '-01',
    '.5',
    '5.',
    '+1',
    '--1',
    '1-',
  ],
  ...['Infinity', '-Infinity', 'NaN', '0x10', '1_000', '-', 'e5', '0.1', '0.30000000000000004', '1.5e300'],
);
const escapes = fc.constantFrom(
  ...['"\\/"', '"\\u0041"', '"\\u001f"', '"\\u001F"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"'],
  ...['"\\n"', '"\\""', '"\\\\"', '"\\x"', '"\\', '"\n"', '"\u0000"', '"\t"', "'a'", '"', '"\\b\\f\\r\\t"'],
);
const literals = fc.constantFrom('true', 'false', 'null', 'nul', 'True', 'undefined', 'truefalse');
/** Between two tokens: mostly nothing. */
const gap = fc.oneof(
  { arbitrary: fc.constant(''), weight: 60 },
  { arbitrary: fc.constantFrom(' ', '\n', '\t', '\r', '\u00a0', '\ufeff', ',', ':'), weight: 1 },
);
const scalars = fc.oneof(
  { arbitrary: strings.map((text) => JSON.stringify(text)), weight: 6 },
  { arbitrary: numbers, weight: 4 },
  { arbitrary: literals.filter((text) => /^(?:true|false|null)$/.test(text)), weight: 4 },
  { arbitrary: fc.oneof(oddNumbers, escapes, literals), weight: 1 },
);

/** The text of a JSON value as a careless client might write it: often canonical, sometimes not, sometimes no JSON. */
export const jsonTexts: fc.Arbitrary<string> = fc.letrec<{ readonly value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalars,
    fc
      .array(fc.tuple(gap, tie('value'), gap), { maxLength: 4 })
      .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
    fc
      .array(fc.tuple(gap, keys, gap, tie('value'), gap), { maxLength: 5 })
      .map(
        (members) =>
          `{${members
            .map(
              ([before, key, between, value, after]) =>
                `${before}${JSON.stringify(key)}${between}:${value}${after}`,
            )
            .join(',')}}`,
      ),
  ),
})).value;
