import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isJsonObject, ownField, parseJson, stringifyJson } from '../../../lib/protocol/json.ts';

describe('parseJson and stringifyJson', () => {
  it('2.1 give every JSON value back', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(stringifyJson(JSON.parse(text)) ?? '')).toEqual(JSON.parse(text));
      }),
    );
  });

  it('2.1 answer undefined where the text is not JSON or the value too deep', () => {
    expect(parseJson('{')).toBeUndefined();
    expect(stringifyJson(parseJson(`${'['.repeat(50_000)}${']'.repeat(50_000)}`))).toBeUndefined();
  });
});

describe('isJsonObject', () => {
  it.each([null, [], 'x', 1, true, undefined])('2.1 is false for %j', (value) => {
    expect(isJsonObject(value)).toBe(false);
  });

  it('2.1 is true for an object', () => {
    expect(isJsonObject({})).toBe(true);
  });
});

describe('ownField', () => {
  it.each(['constructor', '__proto__', 'toString', 'x'])(
    '2.1 does not read the inherited or absent field %s',
    (field) => {
      expect(ownField({}, field)).toBeUndefined();
    },
  );

  it('2.1 reads a field called __proto__ that was sent', () => {
    const object = parseJson('{"__proto__":1}');
    expect(isJsonObject(object) && ownField(object, '__proto__')).toBe(1);
  });
});
