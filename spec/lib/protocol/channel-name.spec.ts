import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ChannelKind, isSignedInUserId, parseChannelName } from '../../../lib/protocol/channel-name.ts';

type Row = readonly [name: string, kind: ChannelKind, isCache: boolean, needsAuth: boolean];

const valid: readonly Row[] = [
  ['private-encrypted-cache-x', 'encrypted', true, true],
  ['private-encrypted-x', 'encrypted', false, true],
  ['private-encrypted-cachex', 'encrypted', false, true],
  ['private-cache-x', 'private', true, true],
  ['private-x', 'private', false, true],
  ['private-', 'private', false, true],
  ['private-presence-x', 'private', false, true],
  ['presence-cache-x', 'presence', true, true],
  ['presence-x', 'presence', false, true],
  ['presence-encrypted-x', 'presence', false, true],
  ['cache-x', 'public', true, false],
  ['cache-private-x', 'public', true, false],
  ['cached', 'public', false, false],
  ['privateer', 'public', false, false],
  ['my-private-x', 'public', false, false],
  ['Private-x', 'public', false, false],
  ['PRESENCE-x', 'public', false, false],
  ['x', 'public', false, false],
  ['A-Za-z0-9_-=@,.;', 'public', false, false],
  ['__proto__', 'public', false, false],
];

const invalid: readonly string[] = [
  '',
  ' ',
  'a b',
  'a/b',
  'a:b',
  'a#b',
  '#',
  '#x',
  '##server-to-user-1',
  '#Server-to-user-1',
  '#server-to-user-',
  '#server-to-user-a b',
  '#server-to-user-1#',
  'private-é',
  'private-x\0',
  'канал',
];

describe('parseChannelName', () => {
  it.each(valid)('3.1 reads %j as %s (cache %s, auth %s)', (name, kind, isCache, needsAuth) => {
    expect(parseChannelName(name)).toEqual({ name, kind, isCache, needsAuth });
  });

  it.each(invalid)('3.1 refuses %j', (name) => {
    expect(parseChannelName(name)).toBeUndefined();
  });

  it.each(['x\n', 'private-x\n', '\nx', 'x\r', '#server-to-user-1\n'])(
    '3.1 refuses the line end in %j',
    (name) => {
      expect(parseChannelName(name)).toBeUndefined();
    },
  );

  it('3.1 accepts 200 characters and refuses 201', () => {
    expect(parseChannelName('x'.repeat(200))).toBeDefined();
    expect(parseChannelName('x'.repeat(201))).toBeUndefined();
  });

  it('3.1 takes another length limit', () => {
    expect(parseChannelName('x'.repeat(164), 164)).toBeDefined();
    expect(parseChannelName('x'.repeat(165), 164)).toBeUndefined();
  });

  it('3.6 reads the user id of a server-to-user channel', () => {
    expect(parseChannelName('#server-to-user-a@b,c.d;e')).toEqual({
      name: '#server-to-user-a@b,c.d;e',
      kind: 'user',
      isCache: false,
      needsAuth: false,
      userId: 'a@b,c.d;e',
    });
  });

  it('3.6 gives every user id of 200 characters a channel, and none of 201', () => {
    expect(parseChannelName(`#server-to-user-${'u'.repeat(200)}`, 164)?.userId).toHaveLength(200);
    expect(parseChannelName(`#server-to-user-${'u'.repeat(201)}`)).toBeUndefined();
  });

  it('3.1 accepts exactly the names of the character set, up to the length limit', () => {
    const name = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\w\-=@,.;#\n]{0,210}$/));
    fc.assert(
      fc.property(name, (text) => {
        const isValid = /^(?:[A-Za-z0-9_\-=@,.;]{1,200}|#server-to-user-[A-Za-z0-9_\-=@,.;]{1,200})$/.test(
          text,
        );
        expect(parseChannelName(text) !== undefined).toBe(isValid);
      }),
    );
  });
});

describe('isSignedInUserId', () => {
  it.each(['1', 'a@b', 'u'.repeat(200)])('3.6 accepts %j', (id) => {
    expect(isSignedInUserId(id)).toBe(true);
  });

  it.each(['', 'a b', 'a/b', '#', '1\n', 'u'.repeat(201)])('3.6 refuses %j', (id) => {
    expect(isSignedInUserId(id)).toBe(false);
  });
});
