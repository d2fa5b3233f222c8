import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { parseChannelData, parseUserData } from '../../../lib/protocol/presence-data.ts';

const limits = { maxUserIdLength: 128, maxUserInfoBytes: 1024 };
const nested = `{"user_id":"1","id":"1","user_info":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`;

const channelData = (text: string) => parseChannelData('presence-c', text, limits);

function errorOf(run: () => unknown): SpillwayError {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  throw new Error('Accepted');
}

describe('parseChannelData', () => {
  it.each([
    ['{"user_id":"10"}', '10', undefined],
    ['{"user_id":10}', '10', undefined],
    ['{"user_id":0}', '0', undefined],
    ['{"user_id":-1.5}', '-1.5', undefined],
    ['{"user_id":"__proto__"}', '__proto__', undefined],
    ['{"user_id":"Zoë ☃"}', 'Zoë ☃', undefined],
    ['{"user_id":"\\ud83d\\ude00"}', '😀', undefined],
    ['{"user_id":"1","user_info":null}', '1', undefined],
    ['{"user_id":"1","user_info":{}}', '1', '{}'],
    ['{"user_id": "1", "user_info": {"name": "Zoë", "__proto__": 1}}', '1', '{"name":"Zoë","__proto__":1}'],
  ])('3.3 accepts %s', (text, userId, userInfoJson) => {
    expect(channelData(text)).toEqual({ userId, userInfoJson });
  });

  it.each([
    '',
    'x',
    'null',
    '1',
    '"1"',
    '[]',
    '{}',
    '{"user_id":null}',
    '{"user_id":true}',
    '{"user_id":false}',
    '{"user_id":{}}',
    '{"user_id":["1"]}',
    '{"user_id":""}',
    '{"user_id":1e400}',
    // Half a character: between nodes two such users would be one.
    '{"user_id":"a\\ud800"}',
    '{"user_id":"\\udc00\\ud800"}',
    '{"__proto__":{"user_id":"1"}}',
  ])('3.3 refuses the channel data %j', (text) => {
    expect(errorOf(() => channelData(text)).code).toBe('subscription.channel-data');
  });

  it.each(['"Ada"', '1', 'true', 'false', '0', '""', '[]', '[{}]'])(
    '3.3 refuses the user info %s',
    (userInfo) => {
      const error = errorOf(() => channelData(`{"user_id":"1","user_info":${userInfo}}`));
      expect(error.code).toBe('subscription.user-info');
    },
  );

  it('3.3 refuses user info that is nested too deeply', () => {
    expect(errorOf(() => channelData(nested)).code).toBe('subscription.user-info');
  });

  it('3.3 accepts a user id of 128 characters and refuses 129', () => {
    const text = (length: number) => JSON.stringify({ user_id: 'u'.repeat(length) });
    expect(channelData(text(128)).userId).toHaveLength(128);
    expect(errorOf(() => channelData(text(129))).code).toBe('subscription.channel-data');
  });

  it('3.3 measures user info in bytes of its JSON', () => {
    const text = (bytes: number) =>
      JSON.stringify({ user_id: '1', user_info: { é: 'é'.repeat((bytes - 9) / 2) } });
    expect(Buffer.byteLength(channelData(text(1023)).userInfoJson ?? '')).toBe(1023);
    expect(errorOf(() => channelData(text(1025))).code).toBe('subscription.user-info');
  });

  it('3.3 names the channel and the problem', () => {
    expect(errorOf(() => channelData('{"user_id":""}')).message).toBe(
      'channel_data supplied to presence subscription of presence-c is invalid: user_id must not be empty',
    );
  });
});

describe('parseUserData', () => {
  it.each([
    ['{"id":"12345"}', { id: '12345', userInfoJson: undefined, watchlist: [] }],
    [
      '{"id":"a@b,c.d;e=_-","user_info":null,"watchlist":null}',
      { id: 'a@b,c.d;e=_-', userInfoJson: undefined, watchlist: [] },
    ],
    [
      '{"id":"12345","user_info":{"name":"Ada"},"watchlist":["a","b"]}',
      { id: '12345', userInfoJson: '{"name":"Ada"}', watchlist: ['a', 'b'] },
    ],
    ['{"id":"1","watchlist":["b","a","b"]}', { id: '1', userInfoJson: undefined, watchlist: ['b', 'a'] }],
  ])('5 accepts %s', (text, expected) => {
    expect(parseUserData(text)).toEqual(expected);
  });

  it.each([
    '',
    'null',
    '[]',
    '"1"',
    '{}',
    '{"id":null}',
    '{"id":""}',
    '{"id":true}',
    '{"id":["1"]}',
    '{"id":"a b"}',
    '{"id":"a/b"}',
    '{"id":"1\\n"}',
    '{"__proto__":{"id":"1"}}',
    '{"id":"1","user_info":[]}',
    '{"id":"1","user_info":"Ada"}',
    '{"id":"1","watchlist":"a"}',
    '{"id":"1","watchlist":{}}',
    '{"id":"1","watchlist":[1]}',
    '{"id":"1","watchlist":["a",null]}',
  ])('5 refuses %j', (text) => {
    expect(errorOf(() => parseUserData(text)).code).toBe('signin.user-data');
  });

  it('5 refuses user info that is nested too deeply', () => {
    expect(errorOf(() => parseUserData(nested)).code).toBe('signin.user-data');
  });

  it('5 tells the sender of a numeric id to quote it', () => {
    expect(errorOf(() => parseUserData('{"id":1}')).message).toContain('id must be a string, not a number');
  });

  it('5 accepts an id of 200 characters and refuses 201', () => {
    const text = (length: number) => JSON.stringify({ id: 'u'.repeat(length) });
    expect(parseUserData(text(200)).id).toHaveLength(200);
    expect(errorOf(() => parseUserData(text(201))).code).toBe('signin.user-data');
  });

  it('5 leaves a long watchlist whole: cutting it is for the one who answers with 4302', () => {
    const watchlist = Array.from({ length: 150 }, (_, index) => `u${index}`);
    expect(parseUserData(JSON.stringify({ id: '1', watchlist })).watchlist).toEqual(watchlist);
  });
});

describe('hostile presence and user data', () => {
  const field = fc.jsonValue();
  const record = fc.record(
    {
      user_id: field,
      id: fc.oneof(field, fc.constant('1')),
      user_info: field,
      watchlist: field,
      ['__proto__']: field,
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    record.map((value) => JSON.stringify(value)),
  );

  it.each([
    ['3.3 parseChannelData', channelData],
    ['5 parseUserData', parseUserData],
  ] as const)('%s answers or raises an error of the catalogue, for any text', (_, parse) => {
    fc.assert(
      fc.property(text, (value) => {
        try {
          expect(parse(value)).toBeInstanceOf(Object);
        } catch (error) {
          expect(error).toBeInstanceOf(SpillwayError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
