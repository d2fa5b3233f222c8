import { describe, expect, test } from '@jest/globals';
import { accessProblem } from '../../../lib/admin/access.ts';

const token = 'open-sesame';
const from = (remoteAddress: string | undefined, authorization?: string, host?: string) => ({
  remoteAddress,
  authorization,
  host: host ?? '127.0.0.1:9601',
});

describe('admin access', () => {
  test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])(
    'without a token lets %s in',
    (address) => {
      expect(accessProblem(undefined, from(address))).toBeUndefined();
    },
  );

  test.each(['10.0.0.1', '192.168.1.7', '::ffff:10.0.0.1', '128.127.0.1', '127.0.0.1.evil', '', undefined])(
    'without a token refuses %s',
    (address) => {
      expect(accessProblem(undefined, from(address))).toBe('admin.loopback-only');
    },
  );

  test.each(['127.0.0.1', '127.0.0.1:9601', 'localhost:9601', 'LocalHost', '[::1]:9601', '[::1]'])(
    'without a token lets callers in that ask for %s',
    (host) => {
      expect(accessProblem(undefined, from('127.0.0.1', undefined, host))).toBeUndefined();
    },
  );

  test.each([
    'rebound.example',
    'rebound.example:9601',
    '127.0.0.1.rebound.example',
    'localhost.example',
    '',
  ])('without a token refuses a page whose name was made to mean this machine: %s', (host) => {
    expect(accessProblem(undefined, from('127.0.0.1', undefined, host))).toBe('admin.loopback-only');
  });

  test('with a token takes any name', () => {
    const caller = from('10.0.0.1', `Bearer ${token}`, 'spillway.example');
    expect(accessProblem(token, caller)).toBeUndefined();
  });

  test('takes a token of several words, as the documents write it', () => {
    const words = 'a long random text';
    expect(accessProblem(words, from('10.0.0.1', `Bearer ${words}`))).toBeUndefined();
    expect(accessProblem(words, from('10.0.0.1', 'Bearer a long random'))).toBe('admin.token');
  });

  test.each(['Bearer open-sesame', 'bearer open-sesame', 'Bearer  open-sesame '])(
    'with a token takes "%s"',
    (header) => {
      expect(accessProblem(token, from('10.0.0.1', header))).toBeUndefined();
    },
  );

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer open',
    'Bearer open-sesame2',
    'Basic open-sesame',
    'open-sesame',
  ])('with a token refuses "%s", from this machine too', (header) => {
    expect(accessProblem(token, from('127.0.0.1', header))).toBe('admin.token');
  });
});
