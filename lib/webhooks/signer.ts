import { createHmac, type KeyObject } from 'node:crypto';
import { unescape } from 'node:querystring';
import type { RecordedBatch } from '../outbox/outbox.ts';
import type { WebhookEndpoint } from './endpoint.ts';

/** What a request needs of its endpoint to be signed. */
type Signatory = Pick<WebhookEndpoint, 'url' | 'headers' | 'appKey' | 'pusherSecret' | 'standardSecret'>;

/** Headers that say how the request is made: those of the endpoint's configuration never take their place. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
]);

/**
 * The headers of one attempt. Pusher's are the same on each attempt (protocol.md 8); `webhook-timestamp` and
 * `webhook-signature` (Standard Webhooks) are of `atMs`, the time of this one. A user and password in the endpoint's URL
 * become `authorization`, unless its configuration sets that.
 */
export function signedHeaders(
  endpoint: Signatory,
  { id, body }: Pick<RecordedBatch, 'id' | 'body'>,
  atMs: number,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1000));
  return {
    ...authorizationOf(endpoint.url),
    ...customHeaders(endpoint.headers),
    // The Pusher SDK compares this with ===: no charset.
    'content-type': 'application/json',
    'content-length': String(body.length),
    'x-pusher-key': endpoint.appKey,
    'x-pusher-signature': hmac(endpoint.pusherSecret, body).digest('hex'),
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${hmac(endpoint.standardSecret, `${id}.${timestamp}.`, body).digest('base64')}`,
  };
}

function customHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ownHeaders.has(name) && !name.startsWith('x-pusher-')),
  );
}

function authorizationOf({ username, password }: URL): { readonly authorization?: string } {
  if (username === '' && password === '') return {};
  const credentials = `${unescape(username)}:${unescape(password)}`;
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function hmac(secret: KeyObject, ...parts: readonly (string | Buffer)[]): ReturnType<typeof createHmac> {
  const digest = createHmac('sha256', secret);
  for (const part of parts) digest.update(part);
  return digest;
}
