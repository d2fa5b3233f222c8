import { randomBytes } from 'node:crypto';

const socketId = /^\d+\.\d+$/;

/** What is left of 64 random bits is an integer below 2^53. */
const surplusBits = 11n;

/** Creates an unguessable socket id: every channel signature contains it (protocol.md 1.2). */
export function createSocketId(): string {
  const bytes = randomBytes(16);
  return `${bytes.readBigUInt64BE(0) >> surplusBits}.${bytes.readBigUInt64BE(8) >> surplusBits}`;
}

/** Tells whether a value has the form of a socket id (protocol.md 1.2). */
export function isSocketId(value: unknown): value is string {
  return typeof value === 'string' && socketId.test(value);
}
