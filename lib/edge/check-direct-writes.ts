import { EventEmitter, on, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Config } from '../../config/schema.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { noCloseCode } from '../protocol/websocket-frame.ts';
import { own } from './closing.ts';
import {
  DirectWrites,
  handleOf,
  type StreamHandle,
  type Wire,
  type WriteRequestClass,
} from './direct-writes.ts';

const blockBytes = 64 * 1024;
/** More than the kernel keeps for a reader on the loopback interface. */
const maxBlocks = 512;
/** Blocks written by the stream behind what the kernel had no room for. */
const blocksBehind = 4;
const timeoutMs = 2_000;
const firstByte = Buffer.from('.');
/** As a client sends it, without a code. */
const closeFrame = Buffer.from([0x88, 0x80, 1, 2, 3, 4]);

/** Direct writes, or why this Node cannot be trusted with them. */
export type CheckedWrites =
  | { readonly writes: DirectWrites; readonly reason?: undefined }
  | { readonly writes?: undefined; readonly reason: string };

let checked: Promise<CheckedWrites> | undefined;

/**
 * Undefined where frames have to go through the streams of the sockets: TLS, `server.fastPaths` off, or a failed trial,
 * which is made once in a process.
 */
export async function directWritesFor(
  { server }: Config,
  telemetry: Telemetry,
): Promise<DirectWrites | undefined> {
  if (!server.fastPaths || server.tls !== undefined) return undefined;
  const { writes, reason } = await (checked ??= checkDirectWrites());
  if (writes === undefined) telemetry.emit('server.direct-writes-off', { reason });
  return writes;
}

/**
 * Tries direct writes on a connection of its own over the loopback interface: more than the kernel takes at once, with
 * writes of the stream behind it, has to arrive whole and in order. Then how the ends of such sockets are read: what came
 * before has to be handed out, and the end told.
 */
export async function checkDirectWrites(): Promise<CheckedWrites> {
  const server = createServer();
  const sockets: Socket[] = [];
  const aborter = new AbortController();
  const { signal } = aborter;
  const fail = (error: Error): void => aborter.abort(error);
  const timer = setTimeout(() => fail(new Error(`it took longer than ${timeoutMs} ms`)), timeoutMs);
  try {
    // In a worker, `exclusive` keeps the primary out of it.
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true });
    await once(server, 'listening', { signal });
    const reader = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    sockets.push(reader.on('error', fail).pause());
    const [raw] = (await once(server, 'connection', { signal })) as [Socket];
    sockets.push(raw.on('error', fail));
    const writes = new DirectWrites(await requestClassOf(raw));
    const wire: Wire = { raw, handle: handleOf(raw), mayOwe: true, directBytes: 0 };
    await tryOn(wire, writes, new Arrival(reader, signal));
    await tryEnd(raw, reader, signal);
    return { writes };
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    return { reason: cause instanceof Error ? cause.message : String(cause) };
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** What Node itself hands to a handle, taken from an ordinary write: one byte. */
async function requestClassOf(raw: Socket): Promise<WriteRequestClass> {
  const handle = handleOf(raw);
  if (typeof handle?.writeQueueSize !== 'number') throw new Error('a socket does not tell what it owes');
  const found: WriteRequestClass[] = [];
  const own: Partial<StreamHandle> = handle;
  const ordinary = handle.writeBuffer.bind(handle);
  handle.writeBuffer = (request, bytes) => {
    found.push(request.constructor as WriteRequestClass);
    return ordinary(request, bytes);
  };
  await new Promise((resolve) => raw.write(firstByte, resolve));
  delete own.writeBuffer;
  const [Request] = found;
  if (Request === undefined) throw new Error('a stream does not write with writeBuffer');
  return Request;
}

async function tryOn(wire: Wire, writes: DirectWrites, arrival: Arrival): Promise<void> {
  const sent: Buffer[] = [firstByte];
  while (wire.directBytes === 0) {
    if (sent.length > maxBlocks) throw new Error('nothing had to wait for the kernel');
    const block = blockOf(sent.length);
    if (!writes.tryWrite(wire, block)) throw new Error('a socket that owes nothing was not written to');
    sent.push(block);
  }
  for (let n = 0; n < blocksBehind; n++) {
    const block = blockOf(sent.length);
    if (writes.tryWrite(wire, block)) throw new Error('a direct write went past one that waits');
    wire.raw?.write(block);
    sent.push(block);
  }
  await arrival.of(Buffer.concat(sent));
  if (wire.directBytes > 0) throw new Error('the end of a write that had to wait was not told');
  if (!writes.tryWrite(wire, firstByte))
    throw new Error('a socket that owes nothing again was not written to');
  await arrival.of(firstByte);
}

async function tryEnd(raw: Socket, reader: Socket, signal: AbortSignal): Promise<void> {
  const told: string[] = [];
  const said = new EventEmitter();
  const closed = new Promise<void>((resolve) => {
    own(raw, {
      queuedBytes: 0,
      closesAlone: true,
      onCloseFrame: (code) => said.emit('close frame', code),
      onWireEnding: () => told.push('ending'),
      onWireClosed: () => {
        told.push('closed');
        resolve();
      },
    });
  });
  const arrival = new Arrival(raw, signal);
  reader.write(firstByte);
  await arrival.of(firstByte);
  reader.write(closeFrame);
  const [code] = (await once(said, 'close frame', { signal })) as [number];
  if (code !== noCloseCode) throw new Error(`a close frame without a code was read as one with ${code}`);
  reader.resetAndDestroy();
  await Promise.race([closed, once(raw, 'close', { signal })]);
  if (told.join() !== 'ending,closed')
    throw new Error('the end of a socket was not told once, before its close');
}

function blockOf(n: number): Buffer {
  return Buffer.alloc(blockBytes, n % 251);
}

/** What a reader gets. */
class Arrival {
  readonly #reader: Socket;
  readonly #signal: AbortSignal;

  constructor(reader: Socket, signal: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  /** Fulfilled when exactly these bytes have come. */
  async of(expected: Buffer): Promise<void> {
    const arriving = on(this.#reader, 'data', { signal: this.#signal }) as AsyncIterable<[Buffer]>;
    const chunks: Buffer[] = [];
    let missing = expected.length;
    this.#reader.resume();
    for await (const [chunk] of arriving) {
      chunks.push(chunk);
      missing -= chunk.length;
      if (missing <= 0) break;
    }
    if (!Buffer.concat(chunks).equals(expected)) throw new Error('what was written did not arrive as it was');
  }
}
