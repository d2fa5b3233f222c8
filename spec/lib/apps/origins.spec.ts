import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toOriginRule } from '../../../lib/apps/origins.ts';

describe('a rule for origins', () => {
  test.each([
    ['*', 'https://anything.example'],
    ['https://example.com', 'https://example.com'],
    ['https://example.com', 'HTTPS://Example.COM'],
    ['https://example.com:8443', 'https://example.com:8443'],
    ['https://*.example.com', 'https://www.example.com'],
    ['http://localhost:*', 'http://localhost:3000'],
    ['example.com', 'https://example.com'],
    ['example.com', 'http://example.com:8080'],
    ['example.com:8080', 'http://example.com:8080'],
    ['*.example.com', 'https://a.example.com'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['capacitor://localhost', 'capacitor://localhost'],
  ])('%s allows %s', (pattern, origin) => {
    expect(toOriginRule([pattern])(origin)).toBe(true);
  });

  test.each([
    ['https://example.com', 'http://example.com'],
    ['https://example.com', 'https://example.com:8443'],
    ['https://example.com', 'https://example.com.evil.com'],
    ['https://example.com', 'https://evil.com/https://example.com'],
    ['https://example.com', 'https://exampleXcom'],
    ['https://*.example.com', 'https://example.com'],
    ['https://*.example.com', 'https://a.b.example.com'],
    ['https://*.example.com', 'https://evil.com/.example.com'],
    ['https://*.example.com', 'https://evil.com:1.example.com'],
    ['https://*.example.com', 'https://.example.com'],
    ['example.com', 'https://notexample.com'],
    ['example.com', 'https://sub.example.com'],
    ['example.com:8080', 'http://example.com:8081'],
    ['example.com', 'null'],
    ['example.com', ''],
  ])('%s does not allow %s', (pattern, origin) => {
    expect(toOriginRule([pattern])(origin)).toBe(false);
  });

  test('allows what one of its patterns allows', () => {
    const rule = toOriginRule(['https://a.com', 'https://b.com']);
    expect([rule('https://a.com'), rule('https://b.com'), rule('https://c.com')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('allows who sends no origin: it is no browser', () => {
    expect(toOriginRule(['https://example.com'])(undefined)).toBe(true);
  });

  test('never allows another origin because of what its letters mean in an expression', () => {
    const host = fc.stringMatching(/^[a-z0-9.+$^()|[\]\\?{}-]{1,20}$/);
    fc.assert(
      fc.property(host, host, (one, other) => {
        expect(toOriginRule([`https://${one}`])(`https://${other}`)).toBe(one === other);
      }),
    );
  });
});
