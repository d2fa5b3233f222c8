import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { firstValueFrom, type Observable } from 'rxjs';
import { loadConfig } from '../../../config/load.ts';
import type { Transport } from '../../../lib/channels/connection.ts';
import { directWritesFor } from '../../../lib/edge/check-direct-writes.ts';
import { ClientSocket } from '../../../lib/edge/client-socket.ts';
import { Edge } from '../../../lib/edge/edge.ts';
import { encodeTextFrame } from '../../../lib/protocol/websocket-frame.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import {
  closeRawSockets,
  encodeFrame,
  openRaw,
  opcodes,
  type RawSocket,
  upgradeRequest,
} from '../../support/raw-socket.ts';

const closeBytes = (code: number, reason = ''): Buffer =>
  Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);

/** Its own side stays open, so that the end of the wire is the server's doing. */
const halfOpen = { allowHalfOpen: true };

describe.each([
  ['past the streams', true],
  ['through the streams', false],
])('a wire whose frames are written %s', (_, fastPaths) => {
  let edge: Edge;
  let port: number;

  beforeEach(async () => {
    const overrides = { server: { host: '127.0.0.1', port: 0, fastPaths, perMessageDeflate: true } };
    const { config } = loadConfig({ env: {}, overrides });
    const telemetry = new Telemetry();
    const directWrites = await directWritesFor(config, telemetry);
    expect(directWrites !== undefined).toBe(fastPaths);
    const onRequest = (): void => undefined;
    edge = new Edge({ config, node: { draining: false }, telemetry, onRequest, directWrites });
    port = await edge.listen();
  });
  afterEach(() => {
    edge.stopListening();
    edge.destroy();
    closeRawSockets();
  });

  async function open(headers: readonly string[] = []) {
    const attempt = firstValueFrom(edge.connects$);
    const raw = await openRaw(port, halfOpen);
    raw.write(upgradeRequest('/app/key', headers));
    expect((await raw.head()).status).toBe(101);
    return { raw, transport: (await attempt).transport };
  }

  const codeOf = async (closes$: Observable<{ readonly code: number }>): Promise<number> =>
    (await firstValueFrom(closes$)).code;

  test.each([
    ['a code', closeBytes(1000), 1000],
    ['a code and a reason', closeBytes(4321, 'good bye'), 4321],
    ['nothing', Buffer.alloc(0), 1005],
  ])('is closed when the client says %s, which is answered', async (_name, payload, code) => {
    const { raw, transport } = await open();
    const closed = codeOf(edge.closes$);
    raw.frame(opcodes.close, payload);
    expect(await raw.nextFrame()).toEqual({ opcode: opcodes.close, payload });
    expect(await raw.ended).toBe('end');
    expect(transport.isOpen).toBe(false);
    raw.socket.end();
    expect(await closed).toBe(code);
    expect(edge.open).toBe(0);
  });

  const how = fastPaths ? 'closed together with' : 'open behind';

  test(`is ${how} the answer, while the client’s side is open`, async () => {
    const { raw } = await open();
    const closed = firstValueFrom(edge.closes$);
    raw.frame(opcodes.close, closeBytes(1000));
    expect(await raw.ended).toBe('end');
    expect(edge.open).toBe(fastPaths ? 0 : 1);
    raw.socket.end();
    await closed;
    expect(edge.open).toBe(0);
  });

  test('is closed when the client says so and has ended its side already', async () => {
    const { raw } = await open();
    const closed = codeOf(edge.closes$);
    raw.socket.end(encodeFrame(opcodes.close, closeBytes(1001)));
    expect((await raw.nextFrame()).payload).toEqual(closeBytes(1001));
    expect([await raw.ended, await closed]).toEqual(['end', 1001]);
  });

  test('brings everything that waits before the answer to the close', async () => {
    const { raw, transport } = await open();
    raw.socket.pause();
    const text = 'x'.repeat(64 * 1024);
    let written = 0;
    while (transport.queuedBytes === 0) {
      transport.write(encodeTextFrame(`${written++} ${text}`));
    }
    const closed = codeOf(edge.closes$);
    raw.frame(opcodes.close, closeBytes(1000));
    raw.socket.resume();
    for (let n = 0; n < written; n++) {
      expect((await raw.nextFrame()).payload.subarray(0, 10).toString()).toBe(`${n} ${text}`.slice(0, 10));
    }
    expect((await raw.nextFrame()).opcode).toBe(opcodes.close);
    await raw.ended;
    raw.socket.end();
    expect(await closed).toBe(1000);
  });

  test('writes nothing behind the answer to a close', async () => {
    const { raw, transport } = await open();
    const closed = firstValueFrom(edge.closes$);
    raw.frame(opcodes.close, closeBytes(1000));
    await raw.nextFrame();
    transport.write(encodeTextFrame('late'));
    raw.socket.end();
    await closed;
    transport.write(encodeTextFrame('later'));
    await raw.ended;
    expect(raw.pending).toHaveLength(0);
  });

  test('that is reset is closed with 1006, whatever is written to it meanwhile', async () => {
    const { raw, transport } = await open();
    const closed = codeOf(edge.closes$);
    raw.reset();
    const writing = setInterval(() => transport.write(encodeTextFrame('late')), 1);
    expect(await closed).toBe(1006);
    clearInterval(writing);
    transport.write(encodeTextFrame('later'));
    expect([transport.isOpen, edge.open]).toEqual([false, 0]);
  });

  const errors = fastPaths ? 'without an error' : 'with its error';

  test(`that is reset is destroyed ${errors}${fastPaths ? ', which is told once' : ''}`, async () => {
    const { raw, transport } = await open();
    const wire = wireOf(transport);
    const closed = codeOf(edge.closes$);
    const told: unknown[] = [];
    edge.ends$.subscribe((socket) => {
      told.push([socket, wire.destroyed]);
      transport.write(encodeTextFrame('late'));
    });
    raw.reset();
    expect(await closed).toBe(1006);
    expect(told).toEqual(fastPaths ? [[transport, true]] : []);
    expect([wire.destroyed, wire.errored === null]).toEqual([true, fastPaths]);
  });

  test(`that is reset is told ${fastPaths ? 'past' : 'through'} the stream of Node.js and ws`, async () => {
    const { raw, transport } = await open();
    const wire = wireOf(transport) as unknown as { _unrefTimer: () => void };
    const socket = socketOf(transport) as unknown as { emitClose: () => void };
    // Node.js begins each read with the one, `ws` ends each close with the other.
    const [reads, closes] = [jest.spyOn(wire, '_unrefTimer'), jest.spyOn(socket, 'emitClose')];
    const closed = codeOf(edge.closes$);
    raw.reset();
    expect(await closed).toBe(1006);
    expect([reads.mock.calls.length > 0, closes.mock.calls.length]).toEqual(
      fastPaths ? [false, 0] : [true, 1],
    );
  });

  type Opened = Awaited<ReturnType<typeof open>>;

  test.each<[string, (opened: Opened) => unknown, number]>([
    ['is reset', ({ raw }) => raw.reset(), 1006],
    ['ends without a close frame', ({ raw }) => raw.socket.end(), 1006],
    [
      'ends with a close frame',
      ({ raw }) => raw.socket.end(encodeFrame(opcodes.close, closeBytes(4321))),
      4321,
    ],
    ['is destroyed here', ({ transport }) => socketOf(transport).terminate(), 1006],
    [
      'is reset while the server closes it',
      ({ raw, transport }) => {
        transport.close(4200, 'please reconnect');
        raw.reset();
      },
      1006,
    ],
    [
      'is destroyed here when its end has been read',
      ({ raw, transport }) => {
        edge.ends$.subscribe(() => socketOf(transport).terminate());
        raw.reset();
      },
      1006,
    ],
  ])('that %s tells its close once, when it is closed', async (_name, ends, code) => {
    const opened = await open();
    const closes: unknown[] = [];
    edge.closes$.subscribe((closed) => {
      closes.push([closed.socket, closed.code, edge.open, closed.socket.readyState]);
    });
    const closed = firstValueFrom(edge.closes$);
    ends(opened);
    await closed;
    opened.raw.socket.destroy();
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(closes).toEqual([[opened.transport, code, 0, WebSocket.CLOSED]]);
  });

  test.each([
    ['is reset', (raw: RawSocket) => raw.reset(), 1006],
    ['says so', (raw: RawSocket) => raw.frame(opcodes.close, closeBytes(1000)), 1000],
  ])(
    'whose frames are compressed is closed when the client %s, and its compression released',
    async (...how) => {
      const [, ends, code] = how;
      const { raw, transport } = await open(['Sec-WebSocket-Extensions: permessage-deflate']);
      const socket = socketOf(transport);
      expect(socket.extensions).toBe('permessage-deflate');
      const release = jest.spyOn(deflateOf(socket), 'cleanup');
      const closed = codeOf(edge.closes$);
      ends(raw);
      await raw.ended;
      raw.socket.end();
      expect([await closed, release.mock.calls.length]).toEqual([code, 1]);
    },
  );

  test('that ends without a close frame is closed with 1006', async () => {
    const { raw, transport } = await open();
    const closed = codeOf(edge.closes$);
    raw.socket.end();
    expect([await raw.ended, await closed]).toEqual(['end', 1006]);
    expect([transport.isOpen, edge.open]).toEqual([false, 0]);
  });

  test('brings everything that waits to a client that has ended its own side without a close frame', async () => {
    const { raw, transport } = await open();
    raw.socket.pause();
    const text = 'x'.repeat(64 * 1024);
    let written = 0;
    while (transport.queuedBytes === 0) transport.write(encodeTextFrame(`${written++} ${text}`));
    const closed = codeOf(edge.closes$);
    const isEnding = once(wireOf(transport), 'end');
    raw.socket.end();
    await isEnding;
    raw.socket.resume();
    for (let n = 0; n < written; n++) {
      expect((await raw.nextFrame()).payload.subarray(0, 10).toString()).toBe(`${n} ${text}`.slice(0, 10));
    }
    expect([await raw.ended, await closed]).toEqual(['end', 1006]);
  });

  test('hands out what came before its end, whenever it is read', async () => {
    const { raw, transport } = await open();
    const wire = wireOf(transport);
    wire.pause();
    const received = firstValueFrom(edge.messages$);
    const closed = codeOf(edge.closes$);
    raw.socket.end(encodeFrame(opcodes.text, 'the last word'));
    while (!hasEnded(wire) && !wire.destroyed) await setImmediate();
    wire.resume();
    expect(String((await received).frame)).toBe('the last word');
    expect(await closed).toBe(1006);
  });

  test('that the server closes waits for the answer of the client', async () => {
    const { raw, transport } = await open();
    const closed = codeOf(edge.closes$);
    transport.close(4200, 'please reconnect');
    expect((await raw.nextFrame()).payload).toEqual(closeBytes(4200, 'please reconnect'));
    raw.frame(opcodes.close, closeBytes(4200));
    expect(await raw.ended).toBe('end');
    raw.socket.end();
    expect(await closed).toBe(4200);
  });

  test(`whose client says so without a reason is closed ${fastPaths ? 'past' : 'through'} the stream of Node.js and ws`, async () => {
    const { raw, transport } = await open();
    const wire = wireOf(transport) as unknown as { _unrefTimer: () => void };
    const socket = socketOf(transport) as unknown as { emitClose: () => void };
    const [reads, closes] = [jest.spyOn(wire, '_unrefTimer'), jest.spyOn(socket, 'emitClose')];
    const closed = codeOf(edge.closes$);
    raw.socket.end(encodeFrame(opcodes.close, closeBytes(1001)));
    expect((await raw.nextFrame()).payload).toEqual(closeBytes(1001));
    expect(await closed).toBe(1001);
    expect([reads.mock.calls.length > 0, closes.mock.calls.length]).toEqual(
      fastPaths ? [false, 0] : [true, 1],
    );
  });

  test('whose message has bytes that look like a close frame stays open', async () => {
    const { raw, transport } = await open();
    const lookalike = encodeFrame(opcodes.close, closeBytes(1000));
    const received = firstValueFrom(edge.messages$);
    const head = Buffer.from([0x82, 0x80 | lookalike.length, 0, 0, 0, 0]);
    const read = once(wireOf(transport), 'data');
    raw.socket.write(head);
    await read;
    raw.socket.write(lookalike);
    expect((await received).frame).toBe(lookalike.length);
    expect(transport.isOpen).toBe(true);
  });

  test('that is closed between the fragments of a message is closed', async () => {
    const { raw } = await open();
    const closed = codeOf(edge.closes$);
    raw.socket.write(encodeFrame(opcodes.text, '{"event":', { fin: false }));
    raw.frame(opcodes.close, closeBytes(4000));
    expect((await raw.nextFrame()).payload).toEqual(closeBytes(4000));
    await raw.ended;
    raw.socket.end();
    expect(await closed).toBe(4000);
  });

  test.each([
    ['a code that nobody may send', closeBytes(1006)],
    ['half a code', Buffer.from([3])],
  ])('whose client says %s is closed with 1002', async (_name, payload) => {
    const { raw } = await open();
    raw.frame(opcodes.close, payload);
    expect((await raw.nextFrame()).payload.readUInt16BE()).toBe(1002);
    raw.socket.destroy();
  });

  const until = fastPaths ? 'closed together with the close frame' : 'open until it answers the close frame';

  test(`whose client gave no sign of life is ${until}`, async () => {
    const { raw, transport } = await open();
    const closed = codeOf(edge.closes$);
    socketOf(transport).isSilent = true;
    transport.close(4201, 'silent');
    expect((await raw.nextFrame()).payload).toEqual(closeBytes(4201, 'silent'));
    expect([transport.isOpen, edge.open]).toEqual([false, fastPaths ? 0 : 1]);
    raw.socket.destroy();
    expect(await closed).toBe(1006);
  });

  test.each([
    ['as they are', []],
    ['compressed', ['Sec-WebSocket-Extensions: permessage-deflate']],
  ])('carries pings beside frames that are sent %s', async (_name, headers) => {
    const { raw, transport } = await open(headers);
    socketOf(transport).ping();
    transport.write(encodeTextFrame('between them'));
    socketOf(transport).ping();
    const frames = [await raw.nextFrame(), await raw.nextFrame(), await raw.nextFrame()];
    const pings = frames.filter(({ opcode }) => opcode === opcodes.ping);
    expect(pings.map(({ payload }) => payload.length)).toEqual([0, 0]);
  });

  test('ends no other wire', async () => {
    const [{ raw: one }, { raw: other, transport }] = [await open(), await open()];
    one.reset();
    await once(one.socket, 'close');
    transport.write(encodeTextFrame('still here'));
    expect((await next(other)).toString()).toBe('still here');
  });
});

async function next(raw: RawSocket): Promise<Buffer> {
  return (await raw.nextFrame()).payload;
}

function socketOf(transport: Transport): ClientSocket {
  if (!(transport instanceof ClientSocket)) throw new Error('the transport is no socket');
  return transport;
}

/** What compresses for the socket, and holds memory outside the heap until it is told to let go of it. */
function deflateOf(socket: ClientSocket): { cleanup: () => void } {
  const inside = socket as unknown as { readonly _extensions: Record<string, { cleanup: () => void }> };
  return inside._extensions['permessage-deflate']!;
}

function wireOf(transport: Transport): Socket {
  const { raw } = socketOf(transport);
  if (raw === undefined) throw new Error('the socket has no wire');
  return raw;
}

/** Whether its end has been read from the kernel, and not yet handed out. */
function hasEnded(wire: Socket): boolean {
  return (wire as unknown as { readonly _readableState: { readonly ended: boolean } })._readableState.ended;
}
