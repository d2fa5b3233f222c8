import { describe, expect, test } from '@jest/globals';
import type { OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import type { RecordedBatch } from '../../../lib/outbox/outbox.ts';
import { verdictOn } from '../../../lib/webhooks/refusal.ts';

const event = { kind: 'cache_miss', id: '1', appId: 'app-1', channel: 'cache-x', atMs: 0 } as OutboxEvent;
const batch = (more: Partial<RecordedBatch> & { size?: number } = {}): RecordedBatch => ({
  id: 'msg_1',
  body: Buffer.from(''),
  events: Array.from({ length: more.size ?? 2 }, () => event),
  createdAtMs: 0,
  failures: 3,
  lastFailure: '400',
  refusedSinceMs: 1_000,
  isSplit: false,
  ...more,
});
const fiveMinutesOn = 301_000;
const took =
  (atMs: number) =>
  (sinceMs: number): boolean =>
    atMs >= sinceMs;

describe('a refused batch', () => {
  test.each([
    ['waits when it is the first time', batch({ refusedSinceMs: undefined }), fiveMinutesOn, 'wait'],
    ['waits for five minutes', batch(), fiveMinutesOn - 1, 'wait'],
    ['is split then', batch(), fiveMinutesOn, 'split'],
    ['is given up then when it is one event', batch({ size: 1 }), fiveMinutesOn, 'give-up'],
    [
      'that is a part of one is split at once',
      batch({ isSplit: true, refusedSinceMs: undefined }),
      0,
      'split',
    ],
    ['that is the last part is given up at once', batch({ isSplit: true, size: 1 }), 0, 'give-up'],
  ])('%s', (_, refused, nowMs, verdict) => {
    expect(verdictOn(refused, nowMs, took(1_000))).toBe(verdict);
  });

  test('waits as long as the endpoint takes nothing else', () => {
    expect(verdictOn(batch(), fiveMinutesOn, took(999))).toBe('wait');
  });
});
