import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkDirectWrites } from '../../../lib/edge/check-direct-writes.ts';
import { type DirectWrites, handleOf, type Wire } from '../../../lib/edge/direct-writes.ts';

const block = Buffer.alloc(256 * 1024, 'block');

type OpenWire = Wire & { readonly raw: Socket };

function wireOf(raw: Socket): OpenWire {
  return { raw, handle: handleOf(raw), mayOwe: true, directBytes: 0 };
}

describe('direct writes', () => {
  let writes: DirectWrites;
  let wire: OpenWire;
  let reader: Socket;
  let close: () => void;

  beforeEach(async () => {
    const checked = await checkDirectWrites();
    if (checked.writes === undefined) throw new Error(checked.reason);
    writes = checked.writes;
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    const [raw] = (await once(server, 'connection')) as [Socket];
    wire = wireOf(raw);
    close = () => {
      for (const socket of [reader, raw]) socket.destroy();
      server.close();
    };
  });
  afterEach(() => close());

  /** Writes until the kernel has no room; answers how many bytes that were. */
  function fill(): number {
    let written = 0;
    while (wire.directBytes === 0) {
      expect(writes.tryWrite(wire, block)).toBe(true);
      written += block.length;
    }
    return written;
  }

  /** Fulfilled with what came, at the end of the wire. */
  async function everything(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of reader) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  test('leave the stream of the socket alone', () => {
    expect(writes.tryWrite(wire, block.subarray(0, 100))).toBe(true);
    expect(wire.raw.writableLength).toBe(0);
    expect(wire.raw.bytesWritten).toBe(100);
    expect(wire.directBytes).toBe(0);
  });

  test('are refused behind what waits, for the kernel or in the stream', () => {
    fill();
    expect(writes.tryWrite(wire, block)).toBe(false);
    wire.directBytes = 0;
    wire.raw.write(block);
    expect(writes.tryWrite(wire, block)).toBe(false);
    expect(wire.mayOwe).toBe(true);
  });

  test('are refused while the stream keeps its bytes together', () => {
    wire.raw.cork();
    wire.raw.write('first');
    expect(writes.tryWrite(wire, block)).toBe(false);
  });

  test('that had to wait arrive before what the stream writes and the end', async () => {
    const written = fill();
    wire.raw.end('the end');
    const all = await everything();
    expect(all.length).toBe(written + 'the end'.length);
    expect(all.subarray(-7).toString()).toBe('the end');
    expect(wire.directBytes).toBe(0);
  });

  test('do not mix up the sockets that wait', async () => {
    const first = fill();
    const other = wireOf(wire.raw);
    expect(writes.tryWrite(other, block)).toBe(true);
    expect(other.directBytes).toBeGreaterThan(wire.directBytes);
    wire.raw.end();
    expect((await everything()).length).toBe(first + block.length);
    expect([wire.directBytes, other.directBytes]).toEqual([0, 0]);
  });

  test('to a peer that is gone close the wire', async () => {
    wire.raw.on('error', () => undefined);
    const closed = once(wire.raw, 'close');
    reader.resetAndDestroy();
    await once(reader, 'close');
    while (!wire.raw.destroyed) {
      expect(writes.tryWrite(wire, block)).toBe(true);
      await new Promise(setImmediate);
    }
    await closed;
    await new Promise(setImmediate);
    expect(writes.tryWrite(wire, block)).toBe(true);
    expect(wire.directBytes).toBe(0);
  });

  test('that wait when the wire is destroyed are given up', async () => {
    fill();
    const closed = once(wire.raw, 'close');
    wire.raw.destroy();
    await closed;
    expect(wire.directBytes).toBe(0);
  });
});
