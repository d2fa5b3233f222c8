import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toConnectionRequest } from '../../../lib/edge/connection-request.ts';
import { requestFrom } from './requests.ts';

const caller = { address: '203.0.113.9', isSecure: true };

function read(url: string, pathPrefix = '', headers: Readonly<Record<string, string>> = {}) {
  return toConnectionRequest(requestFrom('203.0.113.9', headers, url), pathPrefix, caller);
}

describe('an upgrade request', () => {
  test('asks for all of this', () => {
    const url = '/app/my-key?protocol=7&client=js&version=8.4.0';
    expect(read(url, '', { origin: 'https://example.com' })).toEqual({
      appKey: 'my-key',
      protocol: '7',
      client: 'js 8.4.0',
      origin: 'https://example.com',
      isSecure: true,
    });
  });

  test('may leave out all but the key', () => {
    expect(read('/app/my-key')).toEqual({
      appKey: 'my-key',
      protocol: undefined,
      client: '',
      origin: undefined,
      isSecure: true,
    });
  });

  test.each([
    ['client=a%20b&version=1%2B2&protocol=%37', 'a b 1+2', '7'],
    ['client=a+b&protocol=7', 'a b', '7'],
    ['%63lient=js&protocol=7', 'js', '7'],
    ['?client=js&protocol=7', 'js', '7'],
    ['client=one&client=two&protocol=6&protocol=7', 'one', '6'],
    ['clients=one&client=two&protocols=6&protocol=7', 'two', '7'],
    ['client&version&protocol', ' ', ''],
    ['client=&protocol=', '', ''],
    ['client=a=b&protocol=7=8', 'a=b', '7=8'],
    ['&&version=8.4.0&', '8.4.0', undefined],
    ['client=x%zz&protocol=7', 'x%zz', '7'],
  ])('with the query %s says of its client %j, of its protocol %j', (query, client, protocol) => {
    const { client: found, protocol: spoken } = read(`/app/my-key?${query}`);
    expect([found, spoken]).toEqual([client, protocol]);
  });

  test('is read as a browser would read its query, whatever is in it', () => {
    const part = fc.constantFrom(
      'client',
      'version',
      'protocol',
      'x',
      '=',
      '&',
      '7',
      '%',
      '%41',
      '+',
      '?',
      ';',
      '#',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const query = parts.join('');
        const { client, protocol } = read(`/app/my-key?${query}`);
        const wanted = new URLSearchParams(query);
        const library = [wanted.get('client'), wanted.get('version')]
          .filter((text) => text !== null)
          .join(' ');
        expect([client, protocol]).toEqual([library, wanted.get('protocol') ?? undefined]);
      }),
    );
  });

  test.each([
    ['/app/my-key/', 'my-key'],
    ['/app/my%20key', 'my key'],
    ['/app/my%2520key', 'my%20key'],
    ['/app/%zz', '%zz'],
    ['/app/', ''],
  ])('of %s has the key %j', (url, appKey) => {
    expect(read(url).appKey).toBe(appKey);
  });

  test.each(['/', '/apps/my-key', '/app', '/app/a/b', '/x/app/my-key', '//app/my-key', '/APP/my-key'])(
    'of %s has no key',
    (url) => {
      expect(read(url).appKey).toBeUndefined();
    },
  );

  test('below the prefix has the key', () => {
    expect(read('/ws/app/my-key', '/ws').appKey).toBe('my-key');
  });

  test('beside the prefix has the key all the same', () => {
    expect(read('/app/my-key', '/ws').appKey).toBe('my-key');
  });

  test('below what only begins as the prefix does has no key', () => {
    expect(read('/wsx/app/my-key', '/ws').appKey).toBeUndefined();
  });

  test('is cut when its client says too much of itself', () => {
    expect(read(`/app/k?client=${'x'.repeat(500)}`).client.length).toBe(60);
  });
});
