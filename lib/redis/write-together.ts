import type { Writable } from 'node:stream';

/**
 * What is written to the stream from here on leaves with one call of the kernel, once the work at hand has ended, promises
 * included: calls that begin together wake the other side once.
 */
export function writeTogether(stream: Writable): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
