import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { censored, redact, redactFields } from '../../../lib/telemetry/redact.ts';
import { serialiseError } from '../../../lib/telemetry/serialise-error.ts';

const secretKeys = [
  ...[
    'secret',
    'signingSecret',
    'token',
    'adminToken',
    'auth',
    'channel_data',
    'channelData',
    'user_data',
    'userData',
  ],
  ...['signature', 'auth_signature', 'X-Pusher-Signature', 'authorization', 'password', 'cookie'],
];

describe('redact', () => {
  test.each(secretKeys)('censors %s at any depth', (key) => {
    const clean = redact({ [key]: 'hush', in: { list: [{ [key]: { more: 'hush' } }] } });
    expect(JSON.stringify(clean)).not.toContain('hush');
    expect(clean).toEqual({ [key]: censored, in: { list: [{ [key]: censored }] } });
  });

  test.each(['appId', 'key', 'code', 'author', 'channel', 'userId'])('keeps %s', (key) => {
    expect(redact({ [key]: 'shown' })).toEqual({ [key]: 'shown' });
  });

  test('changes nothing in the value itself', () => {
    const value = { secret: 'hush' };
    redact(value);
    expect(value).toEqual({ secret: 'hush' });
  });

  test('cuts what a client may have made long, deep or circular', () => {
    const circular: Record<string, unknown> = { text: 'x'.repeat(5000), list: new Array(5000).fill(1) };
    circular['self'] = circular;
    const clean = redact(circular) as { text: string; list: unknown[] };
    expect(clean.text).toHaveLength(1025);
    expect(clean.list).toHaveLength(100);
    expect(JSON.stringify(clean)).toContain('[Deep]');
  });

  test('writes a bigint, which JSON cannot', () => {
    expect(redact({ n: 12n })).toEqual({ n: '12' });
  });
});

describe('the fields of an event', () => {
  test('are copied only when something has to change', () => {
    const fields = { appId: 'a', code: 4009, clean: true, channel: undefined, text: 'x'.repeat(1024) };
    expect(redactFields(fields)).toBe(fields);
  });

  test.each([
    ['a secret', { appId: 'a', token: 'hush' }, { appId: 'a', token: censored }],
    ['a number that is secret', { pin: 1, password: 1234 }, { pin: 1, password: censored }],
    ['a long text', { text: 'x'.repeat(1025) }, { text: `${'x'.repeat(1024)}…` }],
    ['a secret below', { list: [{ secret: 'hush' }] }, { list: [{ secret: censored }] }],
    ['nothing of a secret that is not there', { token: undefined, in: {} }, { token: undefined, in: {} }],
  ])('are written without %s', (_, fields, written) => {
    const before = structuredClone(fields);
    expect(redactFields(fields)).toEqual(written);
    expect(fields).toEqual(before);
  });

  test('are told apart by their keys, however many were seen before', () => {
    for (let n = 0; n < 1_500; n++) redactFields({ [`key${n}`]: n });
    expect(redactFields({ lateSecret: 'hush' })).toEqual({ lateSecret: censored });
    expect(redactFields({ lateSecret: 'hush' })).toEqual({ lateSecret: censored });
    expect(redactFields({ late: 'shown' })).toEqual({ late: 'shown' });
  });
});

describe('a serialised error', () => {
  test('has type, code, message, stack and cause', () => {
    const cause = Object.assign(new TypeError('inner'), { code: 'EINNER' });
    const error = new SpillwayError('stage.failed', { stage: 'tag' }, { cause });
    expect(serialiseError(error)).toMatchObject({
      type: 'SpillwayError',
      code: 'stage.failed',
      message: 'Stage tag failed: its item went no further',
      stack: expect.stringContaining('SpillwayError'),
      cause: { type: 'TypeError', code: 'EINNER', message: 'inner' },
    });
  });

  test('leaves out whatever else the error carries', () => {
    const error = Object.assign(new Error('refused'), { request: { headers: { authorization: 'hush' } } });
    expect(JSON.stringify(serialiseError(error))).not.toContain('hush');
  });

  test('ends a circle of causes', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(serialiseError(error)).length).toBeLessThan(60_000);
  });

  test('says what was thrown when it was no error', () => {
    expect(serialiseError(new Error('x', { cause: 'text' })).cause).toBe('text');
    expect(serialiseError(new Error('x', { cause: { secret: 'hush' } })).cause).toBe('a thrown object');
  });
});
