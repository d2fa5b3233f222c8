import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { Credentials, ToldEvent } from '../support/journal.ts';

export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The app whose endpoint keeps the journal, and another one. */
export const ourApp: Credentials = { id: 'ours', key: 'our-key', secret: 'our-secret' };
export const theirApp: Credentials = { id: 'theirs', key: 'their-key', secret: 'their-secret' };

/** A webhook request as the product makes it, made here on its own. */
export function signedRequest(
  { key, secret }: Credentials,
  webhookId: string,
  events: readonly ToldEvent[],
): SignedRequest {
  const text = JSON.stringify({ time_ms: 1_327_078_148_132, events });
  const now = new Date();
  const standard = new Webhook(Buffer.from(secret).toString('base64'));
  return {
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'x-pusher-key': key,
      'x-pusher-signature': createHmac('sha256', secret).update(text).digest('hex'),
      'webhook-id': webhookId,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': standard.sign(webhookId, now, text),
    },
    body: Buffer.from(text),
  };
}
