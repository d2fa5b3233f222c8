import {
  type CoalescedRange,
  isLifecycle,
  type LifecycleEvent,
  type OutboxEvent,
} from '../outbox/outbox-event.ts';
import type { SentSeq } from '../outbox/outbox.ts';
import type { WebhookPayload } from './turn.ts';

/**
 * An event in the shape in which Pusher sends it (protocol.md 8), with what Spillway adds behind Pusher's own fields.
 * `prevSeq` is of `chainOf`; only lifecycle events have it.
 */
export function toPayload(event: OutboxEvent, prevSeq: number | undefined): WebhookPayload {
  if (isLifecycle(event)) return lifecyclePayload(event, prevSeq);
  const { kind: name, channel, id } = event;
  switch (event.kind) {
    case 'client_event': {
      const { event: clientEvent, data, socketId, userId } = event;
      return { name, channel, event: clientEvent, data, socket_id: socketId, ...userField(userId), id };
    }
    case 'cache_miss':
      return { name, channel, id };
    case 'subscription_count':
      return { name, channel, subscription_count: event.subscriptionCount, id };
    case 'spillway_coalesced':
      return { name, channel, ...rangeFields(event), id, ...epochField(event.epoch) };
  }
}

/**
 * `prev_seq` of each event: of the lifecycle event of its channel and epoch that the endpoint was sent before, in this
 * batch or an earlier one; 0 when there is none. Undefined for other kinds.
 */
export function chainOf(
  events: readonly OutboxEvent[],
  sent: ReadonlyMap<string, SentSeq>,
): readonly (number | undefined)[] {
  const last = new Map(sent);
  return events.map((event) => {
    if (!isLifecycle(event)) return undefined;
    const { channel, epoch, seq } = event;
    const before = last.get(channel);
    last.set(channel, { epoch, seq });
    return before?.epoch === epoch ? before.seq : 0;
  });
}

/** The body of a request: its bytes are what is signed. `timeMs` is when the batch was made, not when it is sent. */
export function toBody(timeMs: number, payloads: readonly WebhookPayload[]): Buffer {
  return Buffer.from(JSON.stringify({ time_ms: timeMs, events: payloads }));
}

type MutablePayload = { -readonly [F in keyof WebhookPayload]: WebhookPayload[F] };

/** Nearly every event is one of these: one object, and no parts of it. */
function lifecyclePayload(event: LifecycleEvent, prevSeq = 0): WebhookPayload {
  const { kind: name, channel, userId, id, seq, epoch, cause } = event;
  const payload: MutablePayload = { name, channel };
  if (userId !== undefined) payload['user_id'] = userId;
  payload['id'] = id;
  payload['seq'] = seq;
  payload['prev_seq'] = prevSeq;
  payload['epoch'] = epoch;
  if (cause !== undefined) payload['cause'] = cause;
  return payload;
}

function rangeFields({ fromSeq, toSeq, count }: CoalescedRange): object {
  return {
    ...(fromSeq === undefined ? {} : { from_seq: fromSeq }),
    ...(toSeq === undefined ? {} : { to_seq: toSeq }),
    count,
  };
}

function userField(userId: string | undefined): object {
  return userId === undefined ? {} : { user_id: userId };
}

function epochField(epoch: string | undefined): object {
  return epoch === undefined ? {} : { epoch };
}
