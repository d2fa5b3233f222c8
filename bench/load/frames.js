// WebSocket frames made and read by hand: a library would cost the load generator more than the servers it loads.
import { Buffer } from 'node:buffer';

const mask = Buffer.from([1, 2, 3, 4]);

/** A masked frame, as clients send them; up to 64 KiB. */
export function clientFrame(opcode, payload) {
  const long = payload.length > 125;
  const header = long
    ? Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255])
    : Buffer.from([0x80 | opcode, 0x80 | payload.length]);
  return Buffer.concat([header, mask, payload.map((byte, at) => byte ^ mask[at % 4])]);
}

export function textFrame(message) {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return clientFrame(1, Buffer.from(text));
}

export const closeFrame = clientFrame(8, Buffer.from([3, 232]));
export const pongFrame = clientFrame(10, Buffer.alloc(0));

export function upgradeRequest(key) {
  return [
    `GET /app/${key}?protocol=7 HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    '\r\n',
  ].join('\r\n');
}

/** Splits what a server sends, from the end of the upgrade on, into frames. */
export class FrameReader {
  #rest = Buffer.alloc(0);
  #isUpgraded = false;

  /** Calls `onFrame(opcode, payload)` for every frame that is complete with this chunk. */
  read(chunk, onFrame) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end !== -1) {
        this.#isUpgraded = true;
        bytes = bytes.subarray(end + 4);
      }
    }
    if (this.#isUpgraded) bytes = readFrames(bytes, onFrame);
    this.#rest = bytes;
  }
}

function readFrames(bytes, onFrame) {
  let at = 0;
  for (;;) {
    const payload = payloadAt(bytes, at);
    if (payload === undefined || payload.end > bytes.length) return bytes.subarray(at);
    onFrame(bytes[at] & 15, bytes.subarray(payload.start, payload.end));
    at = payload.end;
  }
}

/** Where the payload of the frame at `at` starts and ends; undefined while its header is incomplete. */
function payloadAt(bytes, at) {
  if (bytes.length < at + 2) return undefined;
  const short = bytes[at + 1];
  const start = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
  if (bytes.length < start) return undefined;
  const length =
    short === 127
      ? Number(bytes.readBigUInt64BE(at + 2))
      : short === 126
        ? bytes.readUInt16BE(at + 2)
        : short;
  return { start, end: start + length };
}
