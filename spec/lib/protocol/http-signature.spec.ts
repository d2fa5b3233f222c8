import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { parseQuery, type SignedRequest, verifyHttpSignature } from '../../../lib/protocol/http-signature.ts';
import { sign, toSigningKey } from '../../../lib/protocol/signatures.ts';

const authKey = '278d425bdf160c739803';
const key = toSigningKey('7ad3773142a6692b25b8');
const now = 1353088179;
const keyOf = (name: string) => (name === authKey ? key : undefined);
const md5 = (text: string) => createHash('md5').update(text).digest('hex');

function requestOf(method: string, rawPath: string, rawQuery: string, body = ''): SignedRequest {
  return { method, rawPath, rawQuery, query: parseQuery(rawQuery), body: Buffer.from(body) };
}

function verify(request: SignedRequest, nowSeconds = now) {
  return verifyHttpSignature(request, keyOf, nowSeconds);
}

function errorOf(run: () => unknown): SpillwayError {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  throw new Error('Accepted');
}

/** The authentication parameters in an order of their own, without the signature. */
function authQuery(changes: Record<string, string | undefined> = {}): string {
  const parameters: Record<string, string | undefined> = {
    auth_version: '1.0',
    auth_key: authKey,
    auth_timestamp: String(now),
    ...changes,
  };
  return Object.entries(parameters)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join('&');
}

/** Signs `signedQuery`, sorted already, and sends `rawQuery`. */
function signed(
  method: string,
  path: string,
  signedQuery: string,
  rawQuery: string,
  rawPath = path,
): SignedRequest {
  const signature = sign(key, `${method}\n${path}\n${signedQuery}`);
  return requestOf(method, rawPath, `auth_signature=${signature}&${rawQuery}`);
}

const sortedAuth = `auth_key=${authKey}&auth_timestamp=${now}&auth_version=1.0`;

const eventsBody = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
const batchBody =
  '{"batch":[{"channel":"c1","name":"e1","data":"{\\"a\\":1}"},{"channel":"presence-c2","name":"e2","data":"hi","socket_id":"1234.1234","info":"user_count"}]}';

type Vector = readonly [
  method: string,
  path: string,
  query: string,
  body: string,
  md5: string,
  signature: string,
];

const vectors: readonly Vector[] = [
  [
    'POST',
    '/apps/3/events',
    '',
    eventsBody,
    'ec365a775a4cd0599faeb73354201b6f',
    'da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c',
  ],
  [
    'POST',
    '/apps/3/batch_events',
    '',
    batchBody,
    'e37e71128839812565e6dbb15ef94f37',
    '5475288ce1fc2f86df034ba7211715be14cfe01e75524e0324aff1af0c4ac74e',
  ],
  [
    'GET',
    '/apps/3/channels',
    'filter_by_prefix=presence-&info=user_count',
    '',
    '',
    '16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291',
  ],
  [
    'GET',
    '/apps/3/channels/presence-foobar',
    'info=user_count,subscription_count',
    '',
    '',
    '377ee9260ea002a70c0d40cd887d55cb36db9f7f821297f5efacbcce66be356d',
  ],
  [
    'GET',
    '/apps/3/channels/presence-foobar',
    'info=user_count%2Csubscription_count',
    '',
    '',
    '377ee9260ea002a70c0d40cd887d55cb36db9f7f821297f5efacbcce66be356d',
  ],
  [
    'GET',
    '/apps/3/channels/presence-foobar/users',
    '',
    '',
    'd41d8cd98f00b204e9800998ecf8427e',
    '3d68b512095fd42cb6741cc80616761b1c77d00fcc4d6d9740f09504a4b761b0',
  ],
  [
    'POST',
    '/apps/3/users/12345/terminate_connections',
    '',
    '{}',
    '99914b932bd37a50b983c5e7c90ae93b',
    '01fa634edeb0cae84115307cad5c23f65a46cd286461b1c89637a3b5871a8f0e',
  ],
  [
    'GET',
    '/apps/3/channels',
    'filter_by_prefix=a%20b',
    '',
    '',
    'de6617877141606bba51dd555625a6407145bc2c38fe1715334e4b774248db1c',
  ],
  [
    'GET',
    '/apps/3/channels',
    'filter_by_prefix=a+b',
    '',
    '',
    'de6617877141606bba51dd555625a6407145bc2c38fe1715334e4b774248db1c',
  ],
];

function vectorRequest([method, path, query, body, bodyMd5, signature]: Vector): SignedRequest {
  const extra = bodyMd5 === '' ? {} : { body_md5: bodyMd5 };
  const auth = authQuery({ auth_signature: signature, ...extra });
  return requestOf(method, path, query === '' ? auth : `${query}&${auth}`, body);
}

describe('verifyHttpSignature', () => {
  it.each(vectors)('7.2 accepts the vector %s %s?%s', (...vector) => {
    expect(() => verify(vectorRequest(vector))).not.toThrow();
  });

  it.each(vectors)('7.2 refuses the vector %s %s?%s with another parameter added', (...vector) => {
    const { rawQuery, ...request } = vectorRequest(vector);
    const longer = `${rawQuery}&x=1`;
    const error = errorOf(() => verify({ ...request, rawQuery: longer, query: parseQuery(longer) }));
    expect(error.code).toBe('http.auth-signature');
  });

  it.each(vectors)('7.2 refuses the vector %s %s?%s under another method', (...vector) => {
    const error = errorOf(() => verify({ ...vectorRequest(vector), method: 'PUT' }));
    expect(error.code).toBe('http.auth-signature');
  });

  it('7.2 accepts the same request twice: there is no nonce', () => {
    const request = vectorRequest(vectors[0]!);
    verify(request);
    expect(() => verify(request)).not.toThrow();
  });

  it('7.2 lower-cases names for signing', () => {
    const request = signed('GET', '/apps/3/channels', `${sortedAuth}&info=x`, `INFO=x&${authQuery()}`);
    expect(() => verify(request)).not.toThrow();
  });

  it('7.2 signs the method in upper case', () => {
    const request = signed('GET', '/apps/3/channels', sortedAuth, authQuery());
    expect(() => verify({ ...request, method: 'get' })).not.toThrow();
  });

  it('7.2 accepts a list signed as k[]=a&k[]=b, in the order it was sent', () => {
    const request = signed(
      'GET',
      '/apps/3/channels',
      `${sortedAuth}&k[]=b&k[]=a`,
      `k%5B%5D=b&k[]=a&${authQuery()}`,
    );
    expect(() => verify(request)).not.toThrow();
  });

  it('7.2 accepts a plus that was signed as a plus', () => {
    const request = signed('GET', '/apps/3/channels', `${sortedAuth}&info=a+b`, `info=a+b&${authQuery()}`);
    expect(verify(request).get('info')).toBe('a+b');
  });

  it('7.2 accepts a plus that was signed as a space, and returns the space', () => {
    const request = signed('GET', '/apps/3/channels', `${sortedAuth}&info=a b`, `info=a+b&${authQuery()}`);
    expect(verify(request).get('info')).toBe('a b');
  });

  it('7.2 keeps an escaped plus a plus', () => {
    const request = signed(
      'GET',
      '/apps/3/channels',
      `${sortedAuth}&info=a+b c`,
      `info=a%2Bb+c&${authQuery()}`,
    );
    expect(verify(request).get('info')).toBe('a+b c');
  });

  it.each([
    ['as it was given', '/apps/3/users/a b@=,;.é/terminate_connections'],
    ['as it was sent', '/apps/3/users/a%20b@=,;.%C3%A9/terminate_connections'],
  ])('7.2 accepts a path signed %s', (_, path) => {
    const sent = '/apps/3/users/a%20b@=,;.%C3%A9/terminate_connections';
    expect(() => verify(signed('POST', path, sortedAuth, authQuery(), sent))).not.toThrow();
  });

  it('7.2 does not take an escaped slash for a slash', () => {
    const request = signed(
      'GET',
      '/apps/3/channels/x/users',
      sortedAuth,
      authQuery(),
      '/apps/3/channels/x%2fusers',
    );
    expect(errorOf(() => verify(request)).code).toBe('http.auth-signature');
  });

  it.each(['/apps/3/%', '/apps/3/%C3', '/apps/3/%zz'])(
    '7.2 refuses the path %s, which cannot be decoded',
    (path) => {
      expect(errorOf(() => verify(signed('GET', '/apps/3/x', sortedAuth, authQuery(), path))).code).toBe(
        'http.auth-signature',
      );
    },
  );

  it.each([-601, -610, 601, 610])('7.2 refuses a clock that is %i seconds off', (offset) => {
    const request = signed('GET', '/apps/3/channels', sortedAuth, authQuery());
    expect(errorOf(() => verify(request, now + offset)).code).toBe('http.auth-timestamp-expired');
  });

  it.each([-600, -590, 0, 590, 600])('7.2 accepts a clock that is %i seconds off', (offset) => {
    const request = signed('GET', '/apps/3/channels', sortedAuth, authQuery());
    expect(() => verify(request, now + offset)).not.toThrow();
  });

  it.each([
    '',
    'now',
    '-1',
    '+1353088179',
    ' 1353088179',
    '1353088179.0',
    '0x50a67b73',
    '1e9',
    '9'.repeat(30),
  ])('7.2 refuses the timestamp %j', (timestamp) => {
    const request = requestOf('GET', '/apps/3/channels', authQuery({ auth_timestamp: timestamp }));
    expect(errorOf(() => verify(request)).code).toBe('http.auth-timestamp-expired');
  });
});

describe('the order of the checks', () => {
  const none = { auth_key: undefined, auth_version: undefined, auth_timestamp: undefined };

  it.each([
    ['auth_key missing', none, 'http.auth-key-missing'],
    ['auth_key unknown', { ...none, auth_key: 'x' }, 'http.auth-key-unknown'],
    ['version missing', { ...none, auth_key: authKey }, 'http.auth-version-missing'],
    ['version unknown', { auth_timestamp: undefined, auth_version: '2.0' }, 'http.auth-version'],
    ['timestamp missing', { auth_timestamp: undefined }, 'http.auth-timestamp-missing'],
    ['timestamp expired', { auth_timestamp: '1' }, 'http.auth-timestamp-expired'],
    ['body_md5 missing', {}, 'http.body-md5'],
    ['body_md5 wrong', { body_md5: md5('other') }, 'http.body-md5'],
    ['signature missing', { body_md5: md5('{}') }, 'http.auth-signature'],
    ['signature wrong', { body_md5: md5('{}'), auth_signature: '0'.repeat(64) }, 'http.auth-signature'],
  ] as const)('7.2 %s', (_, changes, code) => {
    const request = requestOf('POST', '/apps/3/events', authQuery(changes), '{}');
    expect(errorOf(() => verify(request)).code).toBe(code);
  });

  it('7.2 refuses a wrong body_md5 on GET too', () => {
    const request = requestOf('GET', '/apps/3/channels', authQuery({ body_md5: md5('x') }));
    expect(errorOf(() => verify(request)).code).toBe('http.body-md5');
  });

  it('7.2 says what should have been signed', () => {
    const request = requestOf('GET', '/apps/3/channels', authQuery());
    expect(errorOf(() => verify(request)).message).toContain(
      'HmacSHA256Hex("GET\\n/apps/3/channels\\nauth_key=',
    );
  });
});

describe('parseQuery', () => {
  it.each([
    ['', []],
    ['&&', []],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=a', [['', 'a']]],
    ['a=b=c', [['a', 'b=c']]],
    [
      'a=1&&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['A%42=x%26y', [['ab', 'x&y']]],
    ['a=1+2%2B3', [['a', '1+2+3']]],
    ['a=%E2%98%83', [['a', '☃']]],
    [
      'k[]=b&k%5B%5D=a',
      [
        ['k[]', 'b'],
        ['k[]', 'a'],
      ],
    ],
    ['__proto__=1', [['__proto__', '1']]],
  ])('7.2 parses %j', (rawQuery, pairs) => {
    expect(parseQuery(rawQuery).pairs).toEqual(pairs);
  });

  it('7.2 returns nothing for a name that was not sent, also an inherited one', () => {
    expect(parseQuery('a=1').get('constructor')).toBeUndefined();
  });

  it('7.2 returns the first value of a list', () => {
    expect(parseQuery('k[]=b&k[]=a').get('k[]')).toBe('b');
  });

  it.each(['a=1&a=1', 'a=1&A=2', 'a=1&%61=2', 'a&a', 'auth_key=x&b=1&Auth_Key=y'])(
    '7.2 refuses the repeated name in %s',
    (rawQuery) => {
      expect(errorOf(() => parseQuery(rawQuery)).code).toBe('http.duplicate-parameter');
    },
  );

  it.each(['a=%', 'a=%4', 'a=%zz', '%=a', 'a=%C3', 'a=%ff', 'a=%ED%A0%80', 'a=%C0%AF'])(
    '7.2 refuses the escapes in %s',
    (rawQuery) => {
      expect(errorOf(() => parseQuery(rawQuery)).code).toBe('http.malformed-query');
    },
  );

  it('7.2 gives every escaped query back', () => {
    const name = fc.string({ unit: 'grapheme' }).map((text) => text.toLowerCase());
    const pairs = fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), {
      selector: ([text]) => text,
    });
    fc.assert(
      fc.property(pairs, (list) => {
        const rawQuery = list.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
        expect(parseQuery(rawQuery).pairs).toEqual(list);
      }),
    );
  });

  it('7.2 answers or raises an error of the catalogue, for any text', () => {
    const rawQuery = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[ab%=&+0-9A-F[\]]{0,40}$/));
    fc.assert(
      fc.property(rawQuery, (text) => {
        try {
          expect(parseQuery(text).pairs.length).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(SpillwayError);
        }
      }),
    );
  });
});

describe('any signed request', () => {
  it('7.2 is accepted as it was signed, whatever its parameters and their order', () => {
    const name = fc.stringMatching(/^[a-z_]{1,8}$/).map((text) => `x_${text}`);
    const parameters = fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme' })), {
      selector: ([text]) => text,
    });
    fc.assert(
      fc.property(parameters, (list) => {
        const byName = list.toSorted(([one], [other]) => (one < other ? -1 : 1));
        const signedQuery = [sortedAuth, ...byName.map((pair) => pair.join('='))].join('&');
        const sent = list.map((pair) => pair.map(encodeURIComponent).join('='));
        const request = signed('GET', '/apps/3/channels', signedQuery, [...sent, authQuery()].join('&'));
        expect(() => verify(request)).not.toThrow();
      }),
    );
  });
});
