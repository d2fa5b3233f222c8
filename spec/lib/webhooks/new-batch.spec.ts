import { describe, expect, test } from '@jest/globals';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { halvesOf, newBatch } from '../../../lib/webhooks/new-batch.ts';
import type { WebhookPayload } from '../../../lib/webhooks/turn.ts';

const events = [1, 2, 3].map(
  (n): OutboxEvent => ({ kind: 'cache_miss', id: String(n), appId: 'app-1', channel: `cache-${n}`, atMs: n }),
);
/** As a stage has changed them. */
const payloads = events.map(
  ({ id, channel }): WebhookPayload => ({ name: 'cache_miss', channel, id, tenant: `tenant of ${id}` }),
);
const bodyOf = (body: Buffer): unknown => JSON.parse(body.toString());

describe('a batch', () => {
  test('has an id of its own', () => {
    const ids = [newBatch(5, events, payloads).id, newBatch(5, events, payloads).id];
    expect(ids).toEqual([expect.stringMatching(/^msg_[0-9a-f]{32}$/), expect.stringMatching(/^msg_/)]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('has the payloads and the time it was made in its body', () => {
    expect(bodyOf(newBatch(5, events, payloads).body)).toEqual({ time_ms: 5, events: payloads });
  });
});

describe('the halves of a batch', () => {
  const batch = newBatch(5, events, payloads);
  const [first, second] = halvesOf(batch);

  test('hold its events in their order, the first half the odd one', () => {
    expect([first.events, second.events]).toEqual([events.slice(0, 2), events.slice(2)]);
  });

  test('have ids of their own', () => {
    expect(new Set([batch.id, first.id, second.id]).size).toBe(3);
  });

  test('hold the payloads as they were recorded, changes of stages included', () => {
    expect([bodyOf(first.body), bodyOf(second.body)]).toEqual([
      { time_ms: 5, events: payloads.slice(0, 2) },
      { time_ms: 5, events: payloads.slice(2) },
    ]);
  });
});
