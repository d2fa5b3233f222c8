import type { IncomingMessage } from 'node:http';
import { SpillwayError } from '../errors/spillway-error.ts';

const empty = Buffer.alloc(0);

/**
 * Reads a request's body. Fails with `http.body-too-large` before reading one that says it is too large, and as soon as
 * one turns out to be. Undefined when the caller went away.
 */
export function readBody(
  request: IncomingMessage,
  limitBytes: number,
  done: (body: Buffer | SpillwayError) => void,
): void {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
    done(new SpillwayError('http.body-too-large', { limitBytes }));
    return;
  }
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  const onData = (chunk: Buffer): void => {
    receivedBytes += chunk.length;
    chunks.push(chunk);
    if (receivedBytes <= limitBytes) return;
    request.off('data', onData).off('end', onEnd).pause();
    done(new SpillwayError('http.body-too-large', { limitBytes }));
  };
  const onEnd = (): void => {
    const [first] = chunks;
    done(
      chunks.length === 1 && first !== undefined
        ? first
        : first === undefined
          ? empty
          : Buffer.concat(chunks),
    );
  };
  request.on('data', onData).on('end', onEnd);
}
