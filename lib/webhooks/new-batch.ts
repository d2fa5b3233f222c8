import { randomBytes } from 'node:crypto';
import type { NewBatch } from '../outbox/outbox.ts';
import type { OutboxEvent } from '../outbox/outbox-event.ts';
import { isJsonObject, parseJson } from '../protocol/json.ts';
import { toBody } from './payload.ts';
import type { WebhookPayload } from './turn.ts';

/** A batch under a new id, with the bytes that every attempt sends. */
export function newBatch(
  createdAtMs: number,
  events: readonly OutboxEvent[],
  payloads: readonly WebhookPayload[],
): NewBatch {
  const id = `msg_${randomBytes(16).toString('hex')}`;
  return { id, body: toBody(createdAtMs, payloads), events, createdAtMs };
}

/** The halves of a batch of two events or more. Their payloads are those of the recorded body, changes of stages included. */
export function halvesOf({ events, body, createdAtMs }: NewBatch): readonly [NewBatch, NewBatch] {
  const payloads = payloadsOf(body);
  const middle = Math.ceil(events.length / 2);
  return [
    newBatch(createdAtMs, events.slice(0, middle), payloads.slice(0, middle)),
    newBatch(createdAtMs, events.slice(middle), payloads.slice(middle)),
  ];
}

function payloadsOf(body: Buffer): readonly WebhookPayload[] {
  const parsed = parseJson(body.toString('utf8'));
  const events = isJsonObject(parsed) ? parsed['events'] : undefined;
  if (!Array.isArray(events)) throw new Error('a recorded body is not a webhook body');
  return events as WebhookPayload[];
}
