import { describe, expect, test } from '@jest/globals';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { keptPayload } from '../../../lib/webhooks/kept-payload.ts';
import { toPayload } from '../../../lib/webhooks/payload.ts';

const told = { id: 'e1-2', appId: 'app-1', channel: 'presence-x', atMs: 5 };
const lifecycle: OutboxEvent = {
  ...told,
  kind: 'member_added',
  userId: 'ada',
  epoch: 'e1',
  seq: 2,
  cause: 'snapshot',
};
const others: readonly OutboxEvent[] = [
  { ...told, kind: 'client_event', event: 'client-x', data: '{}', socketId: '1.1', userId: 'ada' },
  { ...told, kind: 'cache_miss' },
  { ...told, kind: 'subscription_count', subscriptionCount: 3 },
  { ...told, kind: 'spillway_coalesced', epoch: 'e1', fromSeq: 1, toSeq: 4, count: 4 },
];

describe('a kept event', () => {
  test('is shown as endpoints are sent it, but for prev_seq', () => {
    expect(JSON.stringify(keptPayload(lifecycle))).toBe(
      '{"name":"member_added","channel":"presence-x","user_id":"ada","id":"e1-2","seq":2,"epoch":"e1","cause":"snapshot"}',
    );
  });

  test.each(others)('of kind $kind is shown exactly as it is sent', (event) => {
    expect(JSON.stringify(keptPayload(event))).toBe(JSON.stringify(toPayload(event, undefined)));
  });
});
