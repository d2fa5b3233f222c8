import { describe, expect, test } from '@jest/globals';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPrivateAddress, publicLookup, refusePrivateHost } from '../../../lib/webhooks/private-networks.ts';

const inside: Readonly<Record<string, readonly string[]>> = {
  unspecified: ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  private: ['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  'unique local': ['fc00::1', 'fd12:3456::1'],
  'link-local': ['169.254.1.1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  metadata: ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'reserved and broadcast': ['240.0.0.1', '255.255.255.255', '192.0.0.192', '198.18.0.1', '100::1'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1'],
  'IPv4-mapped': ['::ffff:127.0.0.1', '::ffff:a00:1', '::FFFF:192.168.1.1'],
  'other ways to IPv4': [
    '::7f00:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    '2002:7f00:1::',
  ],
  Teredo: ['2001:0:1::1'],
};
const outside = [
  '8.8.8.8',
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.1.1',
];
const outside6 = ['2606:4700:4700::1111', '2a00:1450::1', '::ffff:8.8.8.8', '64:ff9b::808:808'];
const edges = [
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.1.1',
  '223.255.255.255',
];

describe('an address', () => {
  test.each(Object.entries(inside))('is private: %s', (_what, addresses) => {
    expect(addresses.filter((address) => !isPrivateAddress(address))).toEqual([]);
  });

  test('is public otherwise', () => {
    expect([...outside, ...outside6, ...edges].filter(isPrivateAddress)).toEqual([]);
  });

  test('that is none is not public', () => {
    expect(isPrivateAddress('example.com')).toBe(true);
  });
});

describe('the host of a URL', () => {
  test.each([
    'http://127.0.0.1/',
    'http://[::1]:8080/',
    'http://[::ffff:10.0.0.1]/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
  ])('is refused where it is a private address, however it is written: %s', (url) => {
    expect(() => refusePrivateHost(new URL(url))).toThrow(
      /is not a public address, and webhooks\.allowPrivateNetworks is false/,
    );
  });

  test.each(['http://8.8.8.8/', 'http://[2606:4700::1]/', 'http://localhost/', 'http://example.com/'])(
    'passes where it is a public address or a name: %s',
    (url) => expect(() => refusePrivateHost(new URL(url))).not.toThrow(),
  );
});

describe('looking up a name', () => {
  type Answer = string | LookupAddress[] | Error;

  function lookUp(lookup: LookupFunction, isAll = false): Promise<Answer> {
    return new Promise((resolve) => {
      lookup('hooks.example', { all: isAll }, (error, address) => resolve(error ?? address));
    });
  }

  const answering =
    (...answers: readonly Answer[]): LookupFunction =>
    (_name, _options, callback) => {
      const [first] = answers;
      answers = answers.slice(1);
      if (first instanceof Error) callback(first, '');
      else callback(null, first ?? '', 4);
    };
  const refused = expect.objectContaining({
    message:
      'hooks.example resolves to 10.0.0.1, which is not a public address, and webhooks.allowPrivateNetworks is false',
  });

  test('answers with public addresses, one or all', async () => {
    await expect(lookUp(publicLookup(answering('8.8.8.8')))).resolves.toBe('8.8.8.8');
    const all = [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ];
    await expect(lookUp(publicLookup(answering(all)), true)).resolves.toEqual(all);
  });

  test('fails for a private address, and for one among others', async () => {
    await expect(lookUp(publicLookup(answering('10.0.0.1')))).resolves.toEqual(refused);
    const mixed = [
      { address: '8.8.8.8', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    await expect(lookUp(publicLookup(answering(mixed)), true)).resolves.toEqual(refused);
  });

  test('looks at each answer: a name that changes to a private address gets nowhere', async () => {
    const lookup = publicLookup(answering('8.8.8.8', '10.0.0.1'));
    await expect(lookUp(lookup)).resolves.toBe('8.8.8.8');
    await expect(lookUp(lookup)).resolves.toEqual(refused);
  });

  test('passes on that there is no such name', async () => {
    const unknown = new Error('getaddrinfo ENOTFOUND');
    await expect(lookUp(publicLookup(answering(unknown)))).resolves.toBe(unknown);
  });

  test('is the system’s by default', async () => {
    const localhost = new Promise((resolve) => {
      publicLookup()('localhost', { all: true }, (error) => resolve(error));
    });
    await expect(localhost).resolves.toMatchObject({
      message: expect.stringMatching(/^localhost resolves to /),
    });
  });
});
