import { describe, expect, test } from '@jest/globals';
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
