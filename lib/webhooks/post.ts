import type { WebhookEndpoint } from './endpoint.ts';

/** What came of a request. */
export type PostResult =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs?: number }
  /** No answer: refused, reset, too slow, not allowed. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Posts a body to an endpoint. Never rejects. */
export type PostWebhook = (
  endpoint: Pick<WebhookEndpoint, 'url'>,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
) => Promise<PostResult>;
