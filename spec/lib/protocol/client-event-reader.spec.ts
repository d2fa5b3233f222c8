import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { ClientEventReader } from '../../../lib/protocol/client-event-reader.ts';
import { type ClientMessage, decodeClientMessage } from '../../../lib/protocol/client-messages.ts';
import { channelEvent } from '../../../lib/protocol/server-messages.ts';
import { jsonTexts } from './json-texts.ts';

const reader = new ClientEventReader();
const read = (text: string) => reader.read(Buffer.from(text));

function decoded(text: string): ClientMessage | undefined {
  try {
    return decodeClientMessage(text);
  } catch (error) {
    if (error instanceof SpillwayError) return undefined;
    throw error;
  }
}

/** What both ways make of the frame, when the reader takes it at all: the same message, and the same bytes for the peers. */
function expectAgreement(text: string): boolean {
  const event = read(text);
  if (event === undefined) return false;
  const { encoded, ...message } = event;
  expect(decoded(text)).toEqual(message);
  const { channel, data } = message;
  expect(encoded?.data).toBe(data);
  expect(channelEvent(message.event, channel, data, '1', encoded)).toBe(
    channelEvent(message.event, channel, data, '1'),
  );
  return true;
}

const event = 'client-x';
const channel = 'private-c';

const taken: readonly (readonly [text: string, data: string])[] = [
  [`{"event":"client-x","data":{"a":"b"},"channel":"private-c"}`, '{"a":"b"}'],
  [`{"event":"client-x","channel":"private-c","data":{"a":"b"}}`, '{"a":"b"}'],
  [`{"event":"client-x","data":"plain","channel":"private-c"}`, 'plain'],
  [`{"event":"client-x","data":"{\\"a\\":1}","channel":"private-c"}`, '{"a":1}'],
  [`{"event":"client-x","data":"é\\n💥","channel":"private-c"}`, 'é\n💥'],
  [`{"event":"client-x","data":{"é":"\\"💥\\\\"},"channel":"private-c"}`, '{"é":"\\"💥\\\\"}'],
  [`{"event":"client-x","data":"","channel":"private-c"}`, ''],
  [`{"event":"client-x","data":null,"channel":"private-c"}`, 'null'],
  [`{"event":"client-x","data":[1,2.5,true],"channel":"private-c"}`, '[1,2.5,true]'],
];

const left: readonly string[] = [
  '',
  '{"event":"pusher:ping","data":{}}',
  '{"event":"pusher:subscribe","data":{"channel":"client-x"}}',
  ' {"event":"client-x","data":{},"channel":"private-c"}',
  '{"event":"client-x","data":{},"channel":"private-c"} ',
  '{"event":"client-x","data":{},"channel":"private-c"}}',
  '{"event":"client-x","data":{},"channel":"private-c"',
  '{"event": "client-x","data":{},"channel":"private-c"}',
  '{"data":{},"event":"client-x","channel":"private-c"}',
  '{"event":"client-x","data":{},"channel":"private-c","user_id":"9"}',
  '{"event":"client-x","data":{},"channel":"private-c","event":"client-y"}',
  '{"event":"client-x","data":{},"data":{},"channel":"private-c"}',
  '{"event":"client-x","channel":"private-c","channel":"private-d"}',
  '{"event":"client-x","channel":"private-c"}',
  '{"event":"client-x","data":{}}',
  '{"event":"client-x","data":{"a":1,"a":2},"channel":"private-c"}',
  '{"event":"client-x","data":{"a":1e400},"channel":"private-c"}',
  '{"event":"client-x","data":{"a":1},},"channel":"private-c"}',
  '{"event":"client-x","data":"\u0001","channel":"private-c"}',
  '{"event":"client-\\u0078","data":{},"channel":"private-c"}',
  '{"event":"client-é","data":{},"channel":"private-c"}',
  '{"event":"client-x","data":{},"channel":"private-\\u0063"}',
  '{"event":"client-x","data":{},"channel":5}',
  `{"event":"client-${'x'.repeat(194)}","data":{},"channel":"private-c"}`,
  `{"event":"client-x","data":{},"channel":"private-${'x'.repeat(194)}"}`,
  `{"event":"client-x","data":"${'x'.repeat(16_384)}","channel":"private-c"}`,
];

/** A frame's fields in some order, now and then one that does not belong there or a name that is not plain. */
const frames = fc
  .record({
    event: fc.constantFrom('client-x', 'client-', 'client-\u0000', 'client-é"', 'client-\\', 'pusher:ping'),
    channel: fc.constantFrom('private-c', '', 'presence-é', 'private-\u0001', 'a"b', 'private-ü'),
    data: jsonTexts,
    extra: fc.option(fc.tuple(fc.constantFrom('user_id', 'data', 'event', '__proto__'), jsonTexts), {
      freq: 8,
    }),
    order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    isUsual: fc.boolean(),
  })
  .map(({ isUsual, order, extra, ...fields }) => {
    const name = isUsual ? event : fields.event;
    const members = [
      `"event":${JSON.stringify(name)}`,
      `"data":${fields.data}`,
      `"channel":${JSON.stringify(isUsual ? channel : fields.channel)}`,
    ];
    const written = isUsual ? members : order.map((at) => members[at]);
    if (extra !== null && !isUsual) written.push(`${JSON.stringify(extra[0])}:${extra[1]}`);
    return Buffer.from(`{${written.join(',')}}`).toString('utf8');
  });

describe('ClientEventReader', () => {
  it.each(taken)('reads %s', (text, data) => {
    expect(read(text)).toMatchObject({ kind: 'client-event', event, channel, data });
    expect(expectAgreement(text)).toBe(true);
  });

  it.each(left)('leaves %s to the general decoder', (text) => {
    expect(read(text)).toBeUndefined();
  });

  it('reads names up to the limits', () => {
    const longest = `client-${'x'.repeat(193)}`;
    expect(read(`{"event":"${longest}","data":1,"channel":"${'c'.repeat(200)}"}`)).toMatchObject({
      event: longest,
      channel: 'c'.repeat(200),
    });
  });

  it('keeps nothing of the frame before', () => {
    read('{"event":"client-x","data":{"é":1},"channel":"private-c","user_id":1}');
    expect(read('{"event":"client-x","data":{"a":1},"channel":"private-c"}')).toMatchObject({
      data: '{"a":1}',
      encoded: { data: '{"a":1}', json: '"{\\"a\\":1}"' },
    });
  });

  it('agrees with the general decoder on every frame it reads', () => {
    let agreed = 0;
    fc.assert(
      fc.property(frames, (text) => {
        if (expectAgreement(text)) agreed++;
      }),
      { numRuns: 3_000 },
    );
    expect(agreed).toBeGreaterThan(300);
  });

  it('agrees with it on frames of which one character was changed', () => {
    const change = fc.tuple(
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', '}', ',', ' ', '0', '-', '\u0000', 'é'),
    );
    fc.assert(
      fc.property(frames, change, (text, [at, character]) => {
        const place = at % (text.length + 1);
        expectAgreement(
          Buffer.from(text.slice(0, place) + character + text.slice(place + 1)).toString('utf8'),
        );
      }),
      { numRuns: 3_000 },
    );
  });
});
