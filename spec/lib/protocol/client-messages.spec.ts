import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { type ClientMessage, decodeClientMessage } from '../../../lib/protocol/client-messages.ts';

function errorOf(text: string): SpillwayError {
  try {
    decodeClientMessage(text);
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  throw new Error(`Accepted: ${text}`);
}

const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

const accepted: readonly (readonly [text: string, message: ClientMessage])[] = [
  ['{"event":"pusher:ping","data":{}}', { kind: 'ping' }],
  ['{"event": "pusher:ping"}', { kind: 'ping' }],
  ['{"event":"pusher:ping","data":null}', { kind: 'ping' }],
  ['{"event":"pusher:pong","data":{}}', { kind: 'pong' }],
  [
    '{"event":"pusher:subscribe","data":{"auth":"","channel":"c"}}',
    { kind: 'subscribe', channel: 'c', auth: undefined, channelData: undefined },
  ],
  [
    '{"event":"pusher:subscribe","data":{"channel":"c"}}',
    { kind: 'subscribe', channel: 'c', auth: undefined, channelData: undefined },
  ],
  [
    '{"event":"pusher:subscribe","data":{"channel":"c","auth":null,"channel_data":null}}',
    { kind: 'subscribe', channel: 'c', auth: undefined, channelData: undefined },
  ],
  [
    '{"event":"pusher:subscribe","data":{"auth":"KEY:sig","channel":"private-c"}}',
    { kind: 'subscribe', channel: 'private-c', auth: 'KEY:sig', channelData: undefined },
  ],
  [
    '{"event":"pusher:subscribe","data":{"auth":"KEY:sig","channel_data":"{\\"user_id\\": 10}","channel":"presence-p"}}',
    { kind: 'subscribe', channel: 'presence-p', auth: 'KEY:sig', channelData: '{"user_id": 10}' },
  ],
  [
    '{"event":"pusher:subscribe","data":"{\\"channel\\":\\"c\\"}"}',
    { kind: 'subscribe', channel: 'c', auth: undefined, channelData: undefined },
  ],
  ['{"event":"pusher:unsubscribe","data":{"channel":"c"}}', { kind: 'unsubscribe', channel: 'c' }],
  ['{"event":"pusher:unsubscribe","data":{"channel":""}}', { kind: 'unsubscribe', channel: '' }],
  [
    '{"event":"pusher:signin","data":{"auth":"KEY:HEX","user_data":"{\\"id\\":\\"1\\"}"}}',
    { kind: 'signin', auth: 'KEY:HEX', userData: '{"id":"1"}' },
  ],
];

const refused: readonly (readonly [text: string, code: string])[] = [
  ['', 'message.malformed'],
  ['{', 'message.malformed'],
  ['null', 'message.malformed'],
  ['1', 'message.malformed'],
  ['"pusher:ping"', 'message.malformed'],
  ['[]', 'message.malformed'],
  ['[{"event":"pusher:ping"}]', 'message.malformed'],
  ['{}', 'message.malformed'],
  ['{"event":1}', 'message.malformed'],
  ['{"event":null}', 'message.malformed'],
  ['{"__proto__":{"event":"pusher:ping"}}', 'message.malformed'],
  ['{"event":""}', 'message.unknown-event'],
  ['{"event":"constructor"}', 'message.unknown-event'],
  ['{"event":"pusher:Subscribe"}', 'message.unknown-event'],
  ['{"event":"x-client-y","channel":"private-c","data":{}}', 'message.unknown-event'],
  ['{"event":"Client-y","channel":"private-c","data":{}}', 'message.unknown-event'],
  ['{"event":"client","channel":"private-c","data":{}}', 'message.unknown-event'],
  ['{"event":"pusher:subscribe"}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":null}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":[]}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":7}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":"c"}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":"[]"}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":{}}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":{"channel":1}}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":{"channel":["c"]}}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":{"__proto__":{"channel":"c"}}}', 'message.invalid-field'],
  ['{"event":"pusher:subscribe","data":{"channel":"c","auth":1}}', 'message.invalid-field'],
  [
    '{"event":"pusher:subscribe","data":{"channel":"c","channel_data":{"user_id":1}}}',
    'message.invalid-field',
  ],
  ['{"event":"pusher:unsubscribe","data":{"channel":null}}', 'message.invalid-field'],
  ['{"event":"pusher:signin","data":{"auth":"KEY:HEX"}}', 'message.invalid-field'],
  ['{"event":"pusher:signin","data":{"user_data":"{}"}}', 'message.invalid-field'],
  ['{"event":"pusher:signin","data":{"auth":null,"user_data":"{}"}}', 'message.invalid-field'],
  ['{"event":"client-x","channel":"private-c"}', 'client-event.fields'],
  ['{"event":"client-x","data":{}}', 'client-event.fields'],
  ['{"event":"client-x","data":{"channel":"private-c"}}', 'client-event.fields'],
  ['{"event":"client-x","channel":1,"data":{}}', 'client-event.fields'],
];

describe('decodeClientMessage', () => {
  it.each(accepted)('2.1 accepts %s', (text, message) => {
    expect(decodeClientMessage(text)).toEqual(message);
  });

  it.each(refused)('2.1 refuses %j with %s', (text, code) => {
    expect(errorOf(text).code).toBe(code);
  });

  it('2.1 refuses brackets without end instead of running out of stack', () => {
    expect(errorOf(nested).code).toBe('message.malformed');
    const text = `{"event":"client-x","channel":"private-c","data":${nested}}`;
    expect(errorOf(text).message).toBe('Invalid client-x: data must be nested less deeply');
  });

  it('2.4 says which field of which event is wrong', () => {
    const text = '{"event":"pusher:subscribe","data":{"channel":7}}';
    expect(errorOf(text).message).toBe('Invalid pusher:subscribe: channel must be a string');
  });

  it('2.4 names the unknown event', () => {
    expect(errorOf('{"event":"foo"}').message).toBe('Unsupported event received on socket: foo');
  });

  it.each(['pusher:subscribe', 'pusher:unsubscribe'])(
    '2.2 takes 1000 characters of channel on %s, not 1001',
    (event) => {
      const text = (length: number) => JSON.stringify({ event, data: { channel: 'x'.repeat(length) } });
      expect(decodeClientMessage(text(1000))).toMatchObject({ channel: 'x'.repeat(1000) });
      expect(errorOf(text(1001)).code).toBe('message.invalid-field');
    },
  );
});

describe('client events', () => {
  const event = 'client-x';
  const channel = 'private-c';

  it.each([
    ['"plain"', 'plain'],
    ['""', ''],
    ['"{\\"a\\":1}"', '{"a":1}'],
    ['{"a": 1}', '{"a":1}'],
    ['[1, 2]', '[1,2]'],
    ['null', 'null'],
    ['false', 'false'],
    ['0', '0'],
    ['{"__proto__": 1}', '{"__proto__":1}'],
  ])('6 relays the data %s as a string', (json, data) => {
    const text = `{"event":"client-x","channel":"private-c","data":${json}}`;
    expect(decodeClientMessage(text)).toEqual({ kind: 'client-event', event, channel, data });
  });

  it('6 drops what the client has no business to send', () => {
    const text = JSON.stringify({ event, channel, data: '', user_id: 'forged', extra: 1 });
    expect(decodeClientMessage(text)).toEqual({ kind: 'client-event', event, channel, data: '' });
  });

  it('6 accepts an event name of 200 characters and refuses 201', () => {
    const text = (length: number) =>
      JSON.stringify({ event: 'client-'.padEnd(length, 'x'), channel, data: '' });
    expect(decodeClientMessage(text(200)).kind).toBe('client-event');
    expect(errorOf(text(201)).code).toBe('client-event.name-length');
  });

  it('6 refuses a channel of more than 1000 characters', () => {
    const text = JSON.stringify({ event, channel: 'x'.repeat(1001), data: '' });
    expect(errorOf(text).code).toBe('message.invalid-field');
  });
});

describe('hostile frames', () => {
  const events = ['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin', 'pusher:ping', 'client-x', 'x'];
  const field = fc.oneof(fc.jsonValue(), fc.string());
  const data = fc.record(
    { channel: field, auth: field, channel_data: field, user_data: field, ['__proto__']: field },
    { requiredKeys: [] },
  );
  const frame = fc.record(
    { event: fc.oneof(fc.constantFrom(...events), field), channel: field, data: fc.oneof(data, field) },
    { requiredKeys: [] },
  );
  const decodesOrRefuses = (text: string) => {
    try {
      expect(typeof decodeClientMessage(text).kind).toBe('string');
    } catch (error) {
      expect(error).toBeInstanceOf(SpillwayError);
    }
  };

  it('2.1 decode or raise an error of the catalogue, for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), decodesOrRefuses));
  });

  it('2.1 decode or raise an error of the catalogue, for any JSON', () => {
    fc.assert(fc.property(fc.json(), decodesOrRefuses));
  });

  it('2.1 decode or raise an error of the catalogue, for any fields', () => {
    fc.assert(
      fc.property(frame, (value) => decodesOrRefuses(JSON.stringify(value))),
      { numRuns: 500 },
    );
  });
});
