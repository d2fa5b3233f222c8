import { randomFillSync } from 'node:crypto';

const socketId = /^\d+\.\d+$/;

const bytesPerId = 16;
/** Random bytes of many ids are drawn at once: a draw costs far more than the bytes. Each byte is used once. */
const drawn = new DataView(new ArrayBuffer(256 * bytesPerId));
let used = drawn.byteLength;

/** Creates an unguessable socket id: every channel signature contains it (protocol.md 1.2). */
export function createSocketId(): string {
  if (used === drawn.byteLength) {
    randomFillSync(drawn);
    used = 0;
  }
  const at = used;
  used += bytesPerId;
  return `${integerAt(at)}.${integerAt(at + 8)}`;
}

/** An integer below 2^53 from the first 53 of the 64 bits there. */
function integerAt(at: number): number {
  return drawn.getUint32(at) * 2 ** 21 + (drawn.getUint32(at + 4) >>> 11);
}

/** Tells whether a value has the form of a socket id (protocol.md 1.2). */
export function isSocketId(value: unknown): value is string {
  return typeof value === 'string' && socketId.test(value);
}
