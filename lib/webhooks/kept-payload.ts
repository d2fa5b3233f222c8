import type { OutboxEvent } from '../outbox/outbox-event.ts';
import { toPayload } from './payload.ts';
import type { WebhookPayload } from './turn.ts';

/** An event as endpoints are sent it, but for `prev_seq`: that depends on what the endpoint was sent before. */
export function keptPayload(event: OutboxEvent): WebhookPayload {
  const { name, channel, ...fields } = toPayload(event, undefined);
  const kept = Object.entries(fields).filter(([field]) => field !== 'prev_seq');
  return { name, channel, ...Object.fromEntries(kept) };
}
