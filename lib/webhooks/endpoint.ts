import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import type { AppConfig } from '../../config/schema.ts';
import type { App } from '../apps/app.ts';
import type { EventKind } from '../outbox/outbox-event.ts';
import type { OutboxEndpoint } from '../outbox/outbox.ts';
import { toSigningKey } from '../protocol/signatures.ts';

type WebhookConfig = AppConfig['webhooks'][number];

/** Where one app's events are posted to, with everything a request needs. */
export interface WebhookEndpoint extends OutboxEndpoint {
  readonly url: URL;
  /** Extra request headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** False: one event in each request. */
  readonly batching: boolean;
  /** `X-Pusher-Key`, and what `X-Pusher-Signature` is made with: the app's first pair. */
  readonly appKey: string;
  readonly pusherSecret: KeyObject;
  /** What `webhook-signature` is made with (Standard Webhooks). */
  readonly standardSecret: KeyObject;
}

const secretPrefix = 'whsec_';

/** The endpoints of an app, in the order of its configuration. */
export function endpointsOf({ config }: App): readonly WebhookEndpoint[] {
  return config.webhooks.map((webhook) => toEndpoint(config, webhook));
}

/** The Standard Webhooks secret in force: the endpoint's own, else the app's secret under the same form. */
export function signingSecretOf({ secret }: AppConfig, { signingSecret }: WebhookConfig): string {
  return signingSecret ?? `${secretPrefix}${Buffer.from(secret).toString('base64')}`;
}

/** The name an endpoint is known by across restarts. Default: from app and URL, so that another URL is another endpoint. */
export function endpointIdOf({ id: appId }: AppConfig, { id, url }: WebhookConfig): string {
  return id ?? createHash('sha256').update(`${appId} ${url}`).digest('hex').slice(0, 16);
}

function toEndpoint(app: AppConfig, webhook: WebhookConfig): WebhookEndpoint {
  const kinds: ReadonlySet<EventKind> = new Set(webhook.events);
  const { startsWith, endsWith } = webhook.channels;
  const standard = signingSecretOf(app, webhook).slice(secretPrefix.length);
  return {
    appId: app.id,
    id: endpointIdOf(app, webhook),
    url: new URL(webhook.url),
    headers: Object.fromEntries(
      Object.entries(webhook.headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    batching: webhook.batching,
    appKey: app.key,
    pusherSecret: toSigningKey(app.secret),
    standardSecret: createSecretKey(Buffer.from(standard, 'base64')),
    takes: (kind, channel) => kinds.has(kind) && channel.startsWith(startsWith) && channel.endsWith(endsWith),
  };
}
