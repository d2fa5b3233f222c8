import type { ServerResponse } from 'node:http';
import { errorKinds } from '../errors/kinds.ts';
import type { SpillwayError } from '../errors/spillway-error.ts';

/** Sends a JSON answer, once: whatever comes after it, or after the caller has gone, is ignored. */
export function answerJson(response: ServerResponse, status: number, body: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  // Head and body leave as one write: `end(body)` adds an empty one behind them, and the two go the way of many.
  response.write(body);
  response.socket?.uncork();
  response.end();
}

/** Sends an error of the catalogue. After one the rest of the request is not waited for. */
export function answerError(response: ServerResponse, error: SpillwayError): void {
  if (response.headersSent || response.destroyed) return;
  if (!response.req.complete) response.setHeader('Connection', 'close');
  if (errorKinds[error.entry.kind].mayRetry) response.setHeader('Retry-After', '1');
  answerJson(response, error.entry.status, JSON.stringify({ error: error.message, code: error.code }));
}
