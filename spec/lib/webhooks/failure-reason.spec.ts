import { describe, expect, test } from '@jest/globals';
import { failureReason } from '../../../lib/webhooks/failure-reason.ts';
import { PrivateAddressError } from '../../../lib/webhooks/private-networks.ts';

const withCode = (code: string, message = 'x') => Object.assign(new Error(message), { code });

describe('why a request had no answer', () => {
  test.each([
    ['ECONNREFUSED', 'connection refused: nothing listens at this address and port (ECONNREFUSED)'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired (CERT_HAS_EXPIRED)'],
    ['UND_ERR_SOCKET', 'the connection was closed before an answer came (UND_ERR_SOCKET)'],
  ])('is in words, with its code: %s', (code, reason) => {
    expect(failureReason(withCode(code))).toBe(reason);
  });

  test('is in words when several addresses were tried', () => {
    const tried = Object.assign(new AggregateError([withCode('ECONNREFUSED')]), { code: 'ECONNREFUSED' });
    expect(failureReason(tried)).toMatch(/^connection refused/);
  });

  test('is the text of an error that is not known here, with its code', () => {
    expect(failureReason(withCode('ENEW', 'something else'))).toBe('something else (ENEW)');
    expect(failureReason(withCode('constructor', 'something else'))).toBe('something else (constructor)');
    expect(failureReason(new TypeError(''))).toBe('TypeError');
    expect(failureReason('text')).toBe('text');
  });

  test('is what the refusal of a private address says', () => {
    expect(failureReason(new PrivateAddressError('10.0.0.1 is not'))).toBe('10.0.0.1 is not');
  });

  test('is short, however long the error', () => {
    expect(failureReason(new Error('x'.repeat(10_000)))).toHaveLength(200);
    expect(failureReason('x'.repeat(10_000))).toHaveLength(200);
  });
});
