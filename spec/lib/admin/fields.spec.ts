import { describe, expect, test } from '@jest/globals';
import { Fields, jsonObjectOf } from '../../../lib/admin/fields.ts';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';

const of = (value: unknown): Fields => new Fields({ x: value }, ['x']);

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SpillwayError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('the fields of a request', () => {
  test('are refused when they are not known, with those that are', () => {
    expect(messageOf(() => new Fields({ chanel: 'a' }, ['app', 'channel']))).toBe(
      'admin.unknown-parameter: Unknown parameter chanel: known here are app, channel',
    );
  });

  test.each(['__proto__', 'constructor', 'toString'])('are refused by the name %s too', (name) => {
    const given = jsonObjectOf(Buffer.from(`{"${name}":1}`));
    expect(messageOf(() => new Fields(given, ['app']))).toContain(`Unknown parameter ${name}`);
  });

  test('are texts, once and not empty', () => {
    expect(of('a').text('x')).toBe('a');
    expect(of('a').text('y')).toBeUndefined();
    for (const wrong of ['', ['a', 'b'], 1, null, {}]) {
      expect(messageOf(() => of(wrong).text('x'))).toContain('to be a text, given once');
    }
  });

  test('may be required', () => {
    expect(of('a').required('x')).toBe('a');
    expect(messageOf(() => of('a').required('y'))).toBe(
      'http.missing-parameter: Missing required parameter: y',
    );
  });

  test.each([
    ['2026-11-21T10:00:00Z', Date.UTC(2026, 10, 21, 10)],
    ['2026-11-21T10:00:00.250Z', Date.UTC(2026, 10, 21, 10, 0, 0, 250)],
    ['2026-11-21T10:00+02:00', Date.UTC(2026, 10, 21, 8)],
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['1795255200000', 1_795_255_200_000],
    [1_795_255_200_000, 1_795_255_200_000],
  ])('are moments: %j', (value, ms) => {
    expect(of(value).momentMs('x')).toBe(ms);
  });

  test.each(['yesterday', '', '2026-13-01', '21.11.2026', '1e3', 1.5, Number.NaN, null, ['2026-11-21'], {}])(
    'are no moments: %j',
    (value) => {
      expect(messageOf(() => of(value).momentMs('x'))).toContain('to be a time such as 2026-11-21T10:00:00Z');
    },
  );

  test('whose time of day has no offset are no moments: it would depend on where the server runs', () => {
    expect(messageOf(() => of('2026-11-21T10:00:00').momentMs('x'))).toContain('http.invalid-parameter');
  });

  test('are numbers within bounds, with a default', () => {
    expect([of('7').count('x', 10, 5), of(7).count('x', 10, 5), of(7).count('y', 10, 5)]).toEqual([7, 7, 5]);
    for (const wrong of ['0', 0, '11', 11, '-1', 1.5, '1.5', '1e1', 'many', '', true, ['1']]) {
      expect(messageOf(() => of(wrong).count('x', 10, 5))).toContain('to be a number from 1 to 10');
    }
  });

  test('are flags, false unless given', () => {
    expect([of(true).flag('x'), of(false).flag('x'), of(true).flag('y')]).toEqual([true, false, false]);
    for (const wrong of ['true', 1]) expect(messageOf(() => of(wrong).flag('x'))).toContain('true or false');
  });

  test('are one of several choices', () => {
    expect(of('b').choice('x', ['a', 'b'])).toBe('b');
    expect(of('b').choice('y', ['a', 'b'])).toBeUndefined();
    expect(messageOf(() => of('c').choice('x', ['a', 'b']))).toContain('to be one of a, b');
  });

  test.each(['', '[]', 'null', '"a"', '1', '{', '{"a":}'])('come in a JSON object, not in %j', (body) => {
    expect(messageOf(() => jsonObjectOf(Buffer.from(body)))).toContain('http.malformed-json');
  });

  test('come in a body', () => {
    expect(messageOf(() => jsonObjectOf(undefined))).toContain('http.malformed-json');
  });
});
