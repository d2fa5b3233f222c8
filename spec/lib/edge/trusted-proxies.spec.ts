import { describe, expect, test } from '@jest/globals';
import { TLSSocket } from 'node:tls';
import { TrustedProxies } from '../../../lib/edge/trusted-proxies.ts';
import { requestFrom } from './requests.ts';

type Headers = Parameters<typeof requestFrom>[1];
const forwarded = (chain: string | string[], proto = 'http'): Headers => ({
  'x-forwarded-for': chain,
  'x-forwarded-proto': proto,
});

function addressOf(ranges: readonly string[], direct: string, headers: Headers = {}): string {
  return new TrustedProxies(ranges).callerOf(requestFrom(direct, headers)).address;
}
function isSecure(ranges: readonly string[], direct: string, headers: Headers = {}): boolean {
  return new TrustedProxies(ranges).callerOf(requestFrom(direct, headers)).isSecure;
}

describe('the address of a caller', () => {
  test('is that of its socket', () => {
    expect(addressOf([], '203.0.113.9')).toBe('203.0.113.9');
  });

  test('is that of its socket, whatever it writes, when it is no trusted proxy', () => {
    expect(addressOf(['10.0.0.0/8'], '203.0.113.9', forwarded('1.2.3.4'))).toBe('203.0.113.9');
  });

  test('is what a trusted proxy says', () => {
    expect(addressOf(['10.0.0.0/8'], '10.1.2.3', forwarded('203.0.113.9'))).toBe('203.0.113.9');
  });

  test('is the last in the chain that is no trusted proxy: what stands before it anybody may have written', () => {
    const chain = '6.6.6.6, 203.0.113.9, 10.9.9.9';
    expect(addressOf(['10.0.0.0/8'], '10.1.2.3', forwarded(chain))).toBe('203.0.113.9');
  });

  test('is read from a header that came more than once', () => {
    expect(addressOf(['10.0.0.0/8'], '10.1.2.3', forwarded(['6.6.6.6', '203.0.113.9']))).toBe('203.0.113.9');
  });

  test.each([
    ['there is no header', {}],
    ['the header is empty', forwarded('')],
    ['the header has nothing but commas', forwarded(' , ,')],
    ['all of the chain are trusted proxies', forwarded('10.2.2.2, 10.3.3.3')],
  ])('is that of the proxy when %s', (_, headers) => {
    expect(addressOf(['10.0.0.0/8'], '10.1.2.3', headers)).toBe('10.1.2.3');
  });

  test('of IPv4 on an IPv6 listener is that of IPv4', () => {
    expect(addressOf([], '::ffff:203.0.113.9')).toBe('203.0.113.9');
  });

  test('of a trusted proxy on an IPv6 listener is trusted', () => {
    expect(addressOf(['10.0.0.1'], '::ffff:10.0.0.1', forwarded('203.0.113.9'))).toBe('203.0.113.9');
  });

  test('may be one of IPv6, behind a trusted range of IPv6', () => {
    expect(addressOf(['fd00::/8'], 'fd00::1', forwarded('2001:db8::9'))).toBe('2001:db8::9');
  });

  test('is not that of a neighbour of a trusted address', () => {
    expect(addressOf(['10.0.0.1'], '10.0.0.2', forwarded('203.0.113.9'))).toBe('10.0.0.2');
  });
});

describe('a connection', () => {
  test('without TLS is not secure', () => {
    expect(isSecure([], '203.0.113.9')).toBe(false);
  });

  test('with TLS is secure', () => {
    const request = requestFrom('203.0.113.9');
    Object.defineProperty(request, 'socket', { value: new TLSSocket(request.socket) });
    expect(new TrustedProxies([]).callerOf(request).isSecure).toBe(true);
  });

  test.each(['https', 'wss', 'HTTPS', 'https, http'])('is secure when a trusted proxy says %s', (proto) => {
    expect(isSecure(['10.0.0.1'], '10.0.0.1', forwarded('1.2.3.4', proto))).toBe(true);
  });

  test('is not secure because its client says so', () => {
    expect(isSecure([], '203.0.113.9', forwarded('1.2.3.4', 'https'))).toBe(false);
  });
});
