import { describe, expect, it } from '@jest/globals';
import { isDuration, maxDurationMs, parseDuration } from '../../config/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['0s', 0],
    ['60s', 60_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['1m1m', 120_000],
    ['365d', maxDurationMs],
  ])('reads %s as %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['an empty text', ''],
    ['a number without a unit', '60'],
    ['a unit without a number', 'h'],
    ['a negative duration', '-5s'],
    ['a sign', '+5s'],
    ['an unknown unit', '5w'],
    ['an upper case unit', '5H'],
    ['a fraction', '1.5h'],
    ['space', '1h 30m'],
    ['a trailing number', '1h30'],
    ['an exponent', '1e3s'],
    ['more than a year', '366d'],
    ['more than a year in parts', '365d1ms'],
    ['a number beyond any', `${'9'.repeat(400)}d`],
  ])('refuses %s', (_what, text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
    expect(isDuration(text)).toBe(false);
  });
});
