import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  channelStringToSign,
  isSignature,
  sign,
  splitAuth,
  toSigningKey,
  userStringToSign,
} from '../../../lib/protocol/signatures.ts';

const key = toSigningKey('7ad3773142a6692b25b8');
const socketId = '1234.1234';

type ChannelRow = readonly [channel: string, channelData: string | undefined, signature: string];

const channelVectors: readonly ChannelRow[] = [
  ['private-foobar', undefined, '58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4'],
  ['private-encrypted-foobar', undefined, 'e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533'],
  ['private-cache-foobar', undefined, '395f4a03f06e17b74af8d9c58386cf386e70176f58452420f042b6e1bddefa43'],
  [
    'private-encrypted-cache-foobar',
    undefined,
    'b9b56ee68b2117189dbac324760a1f9958070108e3ef45232e5dcbba37dbb831',
  ],
  [
    'presence-foobar',
    '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    '31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80',
  ],
  [
    'presence-foobar',
    '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}',
    'afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c',
  ],
  [
    'presence-foobar',
    '{"user_id":"10","user_info":{"name":"Mr. Channels"}}',
    '4c6d8fc42a207ba96a0779844171b0bb819d96ffceef9609f5cce596ab17a800',
  ],
  [
    'presence-foobar',
    '{"user_id": "10", "user_info": {"name": "Zoë ☃"}}',
    '578bcffdd1e56254baa34ab828c3c8172f36433195e640fdb51d1f9d3cc4dde7',
  ],
];

const userVectors: readonly (readonly [userData: string, signature: string])[] = [
  ['{"id":"12345"}', '4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba'],
  [
    '{"id":"12345","user_info":{"name":"Ada"},"watchlist":["a","b"]}',
    '23a78594fb6aee8395d5a9946e5c9d8efdbf47da337c7425b4b996e5899e1653',
  ],
];

describe('sign', () => {
  it.each(channelVectors)('4 signs a subscription to %s with %s', (channel, channelData, signature) => {
    expect(sign(key, channelStringToSign(socketId, channel, channelData))).toBe(signature);
  });

  it.each(userVectors)('4 signs the sign-in %s', (userData, signature) => {
    expect(sign(key, userStringToSign(socketId, userData))).toBe(signature);
  });

  it('8 signs the body of a webhook', () => {
    const body = '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}';
    expect(sign(key, body)).toBe('c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf');
  });
});

describe('string to sign', () => {
  it('4 keeps channel_data exactly as received', () => {
    expect(channelStringToSign('1.2', 'presence-x', '{ "user_id" : 1 }')).toBe(
      '1.2:presence-x:{ "user_id" : 1 }',
    );
  });

  it('4 tells empty channel_data from none', () => {
    expect(channelStringToSign('1.2', 'presence-x', '')).toBe('1.2:presence-x:');
    expect(channelStringToSign('1.2', 'presence-x')).toBe('1.2:presence-x');
  });
});

describe('isSignature', () => {
  const text = '1.2:private-x';
  const signature = sign(key, text);

  it('4 accepts the signature in lower and upper case', () => {
    expect(isSignature(key, text, signature)).toBe(true);
    expect(isSignature(key, text, signature.toUpperCase())).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['63 digits', signature.slice(1)],
    ['65 digits', `${signature}0`],
    ['128 digits', signature + signature],
    ['letters that are not hex', 'z'.repeat(64)],
    ['a trailing newline', `${signature.slice(1)}\n`],
    ['a newline after it', `${signature}\n`],
    ['wide characters', 'é'.repeat(64)],
    ['zeros', '0'.repeat(64)],
  ])('4 refuses %s', (_, hex) => {
    expect(isSignature(key, text, hex)).toBe(false);
  });

  it('4 refuses the signature of another text and of another key', () => {
    expect(isSignature(key, `${text}y`, signature)).toBe(false);
    expect(isSignature(toSigningKey('other'), text, signature)).toBe(false);
  });

  it('4 accepts exactly what sign gave, for any text and secret', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ minLength: 1 }),
        fc.nat(63),
        (anyText, secret, at) => {
          const anyKey = toSigningKey(secret);
          const hex = sign(anyKey, anyText);
          const forged = hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1);
          expect(isSignature(anyKey, anyText, hex)).toBe(true);
          expect(isSignature(anyKey, anyText, forged)).toBe(false);
        },
      ),
    );
  });
});

describe('splitAuth', () => {
  it.each([
    ['KEY:HEX', { key: 'KEY', signature: 'HEX' }],
    ['KEY:A:B', { key: 'KEY', signature: 'A:B' }],
    [':HEX', { key: '', signature: 'HEX' }],
    ['KEY:', { key: 'KEY', signature: '' }],
    ['KEY', undefined],
    ['', undefined],
  ])('4 splits %j at the first colon', (auth, expected) => {
    expect(splitAuth(auth)).toEqual(expected);
  });
});
