import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Neighbour } from '../../fuzz/neighbour.ts';
import { closeClients, connect, type TestClient } from '../../support/client.ts';
import { closeRawSockets, connectRaw, encodeFrame, opcodes } from '../../support/raw-socket.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../../support/server.ts';

/** Echoed after every case, faster than a client event may come. */
const neighbourApp = { ...otherApp, clientEvents: { enabled: true, perSecond: 0 } };

let server: TestServer;
let neighbour: Neighbour;
beforeEach(async () => {
  server = await startTestServer({ config: { apps: [testApp, neighbourApp] } });
  neighbour = await Neighbour.open({
    port: server.port,
    appId: otherApp.id,
    key: otherApp.key,
    secret: otherApp.secret,
  });
});
afterEach(async () => {
  expect(await neighbour.echo()).toBeUndefined();
  expect(server.log.events.filter(({ name }) => name.endsWith('.failed'))).toEqual([]);
  await neighbour.close();
  closeClients();
  closeRawSockets();
  await server.stop();
});

const errorData = { message: expect.any(String), code: null };

async function refusalOf(client: TestClient, text: string): Promise<unknown> {
  client.sendText(text);
  const frames = await client.drain();
  return frames.find(({ event }) => event === 'pusher:error')?.data;
}

describe('frames that are no message', () => {
  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '17'],
    ['a string', '"pusher:ping"'],
    ['no event', '{}'],
    ['an event that is no string', '{"event":7}'],
    ['an event that is only inherited', '{"__proto__":{"event":"pusher:ping"}}'],
    ['65 000 brackets', '['.repeat(65_000)],
    ['an object 10 000 levels deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
  ])('answers an error to %s and stays open', async (_name, text) => {
    const client = await connect(server);
    expect(await refusalOf(client, text)).toEqual(errorData);
    expect(await client.subscribed('still-here')).toEqual({});
  });

  it('answers an error to a binary frame and stays open', async () => {
    const client = await connect(server);
    client.sendText(Buffer.from('{"event":"pusher:ping"}'));
    expect(await client.next()).toMatchObject({ event: 'pusher:error', data: errorData });
    expect(await client.subscribed('still-here')).toEqual({});
  });
});

/** One value of every type that is not the right one. */
const wrongStrings = ['7', 'true', '[]', '{}', '["x"]', '1e999'];
const fieldCases = [
  ...['channel', 'auth', 'channel_data'].map((field) => ['pusher:subscribe', field] as const),
  ['pusher:unsubscribe', 'channel'] as const,
  ...['auth', 'user_data'].map((field) => ['pusher:signin', field] as const),
];

describe('wrong types', () => {
  it.each(fieldCases)('%s answers an error to any other type of %s', async (event, field) => {
    const client = await connect(server);
    const right: Record<string, string> = {
      channel: '"private-x"',
      auth: '"a:b"',
      channel_data: '"{}"',
      user_data: '"{}"',
    };
    for (const wrong of wrongStrings) {
      const data = Object.entries({ ...right, [field]: wrong }).map(([key, value]) => `"${key}":${value}`);
      const refusal = await refusalOf(client, `{"event":"${event}","data":{${data.join()}}}`);
      expect(refusal).toMatchObject({ message: `Invalid ${event}: ${field} must be a string`, code: null });
    }
  });

  it.each(['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin'])(
    '%s answers an error to any data that is no object',
    async (event) => {
      const client = await connect(server);
      for (const data of ['null', '7', 'true', '[]', '"x"', '"[]"', '"null"']) {
        const refusal = await refusalOf(client, `{"event":"${event}","data":${data}}`);
        expect(refusal).toMatchObject({ message: `Invalid ${event}: data must be an object` });
      }
      expect(await refusalOf(client, `{"event":"${event}"}`)).toEqual(errorData);
    },
  );

  it('answers an error to a client event with any other type of channel, or without data', async () => {
    const client = await connect(server);
    await client.subscribed('private-x');
    for (const channel of ['null', '7', 'true', '[]', '{}']) {
      const refusal = await refusalOf(client, `{"event":"client-x","channel":${channel},"data":{}}`);
      expect(refusal).toMatchObject({ message: expect.stringContaining('must contain channel and data') });
    }
    expect(await refusalOf(client, '{"event":"client-x","channel":"private-x"}')).toEqual(errorData);
  });
});

describe('prototype keys', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('%s gives a message no fields', async (key) => {
    const client = await connect(server);
    const text = `{"event":"pusher:subscribe","data":{"${key}":{"channel":"polluted"}}}`;
    expect(await refusalOf(client, text)).toMatchObject({
      message: expect.stringContaining('channel must be'),
    });
    expect(({} as { channel?: unknown }).channel).toBeUndefined();
  });

  it.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])(
    'a member named %s is a member like others',
    async (userId) => {
      const [first, second] = [await connect(server), await connect(server)];
      await first.subscribed('presence-x', { user_id: userId, user_info: { name: 'x' } });
      const seen = (await second.subscribed('presence-x', { user_id: 'other' })) as {
        presence: { count: number; ids: string[]; hash: object };
      };
      expect(seen.presence.ids).toEqual([userId, 'other']);
      expect(Object.entries(seen.presence.hash)).toContainEqual([userId, { name: 'x' }]);
      await first.waitFor('pusher_internal:member_added');
      first.unsubscribe('presence-x');
      expect((await second.waitFor('pusher_internal:member_removed')).data).toBe(
        JSON.stringify({ user_id: userId }),
      );
    },
  );

  it.each(['__proto__', 'constructor'])('a channel named %s is a channel like others', async (channel) => {
    const client = await connect(server);
    expect(await client.subscribed(channel)).toEqual({});
    expect(
      await refusalOf(client, JSON.stringify({ event: 'pusher:subscribe', data: { channel } })),
    ).toMatchObject({
      message: `Existing subscription to channel ${channel}`,
    });
  });
});

describe('frames that break the WebSocket protocol', () => {
  it.each([
    ['a text that is no UTF-8', 1007, encodeFrame(opcodes.text, Buffer.from([0x22, 0xc3, 0x28, 0x22]))],
    ['a frame without a mask', 1002, encodeFrame(opcodes.text, '{}', { masked: false })],
    ['a reserved bit', 1002, encodeFrame(opcodes.text, '{}', { rsv: 2 })],
    ['compression that was not agreed', 1002, encodeFrame(opcodes.text, '{}', { rsv: 4 })],
    ['an unknown opcode', 1002, encodeFrame(5, '{}')],
    ['a continuation of nothing', 1002, encodeFrame(opcodes.continuation, '{}')],
    ['a ping of 126 bytes', 1002, encodeFrame(opcodes.ping, 'x'.repeat(126))],
    ['a ping in fragments', 1002, encodeFrame(opcodes.ping, 'x', { fin: false })],
    ['a close frame of one byte', 1002, encodeFrame(opcodes.close, Buffer.from([3]))],
    ['a close code nobody may send', 1002, encodeFrame(opcodes.close, Buffer.from([3, 237]))],
    [
      'a frame that says it has 10 MB',
      1009,
      encodeFrame(opcodes.text, '', { claimedLength: 10 * 1024 * 1024 }),
    ],
    ['a frame of one byte too many', 1009, encodeFrame(opcodes.text, ' '.repeat(65_537))],
  ])('%s is closed with %d', async (_name, code, bytes) => {
    const { raw } = await connectRaw(server);
    raw.write(bytes);
    expect(await raw.closeCode()).toBe(code);
  });

  it('a frame of 10 MB is closed with 1009 and not read to its end', async () => {
    const { raw } = await connectRaw(server);
    raw.write(encodeFrame(opcodes.text, Buffer.alloc(10 * 1024 * 1024, 'x')));
    expect(await raw.closeCode()).toBe(1009);
  });

  it('10 MB in fragments are closed with 1009 as soon as they are too many', async () => {
    const { raw } = await connectRaw(server);
    raw.write(encodeFrame(opcodes.text, 'x'.repeat(60_000), { fin: false }));
    raw.write(encodeFrame(opcodes.continuation, 'x'.repeat(60_000), { fin: false }));
    expect(await raw.closeCode()).toBe(1009);
  });

  it('a frame of the largest size allowed is read', async () => {
    const { raw } = await connectRaw(server);
    raw.frame(opcodes.text, ' '.repeat(65_536 - 23) + '{"event":"pusher:ping"}');
    expect(await raw.message()).toMatchObject({ event: 'pusher:pong' });
  });
});

describe('unusual frames that the protocol allows', () => {
  it('puts the fragments of a message together, control frames between them', async () => {
    const { raw } = await connectRaw(server);
    raw.frame(opcodes.text, '{"event":', { fin: false });
    raw.frame(opcodes.continuation, '', { fin: false });
    raw.frame(opcodes.ping, 'still there?');
    raw.frame(opcodes.continuation, '"pusher:ping"}');
    expect((await raw.frameOf(opcodes.pong)).payload.toString()).toBe('still there?');
    expect(await raw.message()).toMatchObject({ event: 'pusher:pong' });
  });

  it('answers a message that comes one byte at a time', async () => {
    const { raw } = await connectRaw(server);
    for (const byte of encodeFrame(opcodes.text, '{"event":"pusher:ping"}')) raw.write(Buffer.from([byte]));
    expect(await raw.message()).toMatchObject({ event: 'pusher:pong' });
  });

  it('takes an unasked pong for a sign of life and no more', async () => {
    const { raw } = await connectRaw(server);
    raw.frame(opcodes.pong, 'nobody asked');
    raw.send({ event: 'pusher:pong', data: {} });
    raw.send({ event: 'pusher:ping' });
    expect(await raw.message()).toMatchObject({ event: 'pusher:pong' });
  });

  it('lone surrogates in names and data come out as replacement characters, not as a broken frame', async () => {
    const [sender, receiver] = [await connect(server), await connect(server)];
    for (const client of [sender, receiver]) await client.subscribed('private-x');
    sender.sendText('{"event":"client-\\ud800","channel":"private-x","data":"\\udfff!"}');
    expect(await receiver.next()).toMatchObject({ event: 'client-\ud800', data: '\udfff!' });
  });
});
