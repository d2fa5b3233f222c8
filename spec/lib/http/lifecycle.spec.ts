import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import type { ApiRequest, ApiServices } from '../../../lib/http/api-request.ts';
import { lifecycleAfter } from '../../../lib/http/lifecycle-after.ts';
import { lifecycleSnapshot } from '../../../lib/http/lifecycle-snapshot.ts';
import type { Timeline, TimelinePage } from '../../../lib/outbox/timeline.ts';
import { parseQuery } from '../../../lib/protocol/http-signature.ts';

const page: TimelinePage = {
  events: [
    {
      kind: 'member_added',
      id: 'e1-2',
      appId: 'app-1',
      channel: 'presence-x',
      userId: 'ada',
      atMs: 5,
      epoch: 'e1',
      seq: 2,
    },
    {
      kind: 'member_removed',
      id: 'e1-3',
      appId: 'app-1',
      channel: 'presence-x',
      userId: 'ada',
      atMs: 6,
      epoch: 'e1',
      seq: 3,
      cause: 'node_lost',
    },
  ],
  position: 'p2',
  hasMore: true,
};

/** A timeline that remembers what it was asked. */
class FakeTimeline implements Timeline {
  readonly asked: (string | number)[] = [];
  answer: TimelinePage | 'gone' | 'off' = page;

  lifecycleSnapshot(appId: string) {
    this.asked.push(appId);
    const members = [{ userId: 'ada', seq: 2 }];
    const channels = [
      { channel: 'presence-x', epoch: 'e1', seq: 2, members },
      { channel: 'room', epoch: 'e2', seq: 7, members: [] },
    ];
    return Promise.resolve({ channels, position: 'p1' });
  }

  lifecycleAfter(appId: string, position: string, limit: number) {
    this.asked.push(appId, position, limit);
    return this.answer;
  }
}

function ask(timeline: Timeline, endpoint: typeof lifecycleAfter, query = ''): unknown {
  const request = { app: { id: 'app-1' }, query: parseQuery(query), names: [] };
  return endpoint(request as unknown as ApiRequest, { outbox: timeline } as unknown as ApiServices);
}

function errorOf(timeline: Timeline, query: string): SpillwayError | undefined {
  try {
    ask(timeline, lifecycleAfter, query);
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  return undefined;
}

describe('GET /apps/ID/lifecycle/snapshot', () => {
  test('has the occupied channels and their members, and where the stream goes on', async () => {
    const timeline = new FakeTimeline();
    expect(await ask(timeline, lifecycleSnapshot)).toEqual({
      channels: [
        { channel: 'presence-x', epoch: 'e1', seq: 2, members: [{ user_id: 'ada', seq: 2 }] },
        { channel: 'room', epoch: 'e2', seq: 7, members: [] },
      ],
      position: 'p1',
    });
    expect(timeline.asked).toEqual(['app-1']);
  });
});

describe('GET /apps/ID/lifecycle', () => {
  test('has events as webhooks carry them, but for prev_seq, which depends on the endpoint', () => {
    expect(ask(new FakeTimeline(), lifecycleAfter, 'after=p1')).toEqual({
      events: [
        { name: 'member_added', channel: 'presence-x', user_id: 'ada', id: 'e1-2', seq: 2, epoch: 'e1' },
        {
          name: 'member_removed',
          channel: 'presence-x',
          user_id: 'ada',
          id: 'e1-3',
          seq: 3,
          epoch: 'e1',
          cause: 'node_lost',
        },
      ],
      position: 'p2',
      has_more: true,
    });
  });

  test.each([
    ['after=p1', 100],
    ['after=p1&limit=1', 1],
    ['after=p1&limit=1000', 1_000],
  ])('%s asks for %i events', (query, limit) => {
    const timeline = new FakeTimeline();
    ask(timeline, lifecycleAfter, query);
    expect(timeline.asked).toEqual(['app-1', 'p1', limit]);
  });

  test.each([
    ['', 'http.missing-parameter', 'Missing required parameter: after'],
    ['after=', 'http.invalid-parameter', 'Expected after parameter to be the position of an earlier answer'],
    ['after=a%20b', 'http.invalid-parameter', 'the position of an earlier answer'],
    ['after=%00', 'http.invalid-parameter', 'the position of an earlier answer'],
    [`after=${'a'.repeat(20_000)}`, 'http.invalid-parameter', 'the position of an earlier answer'],
    ['after=p1&limit=0', 'http.invalid-parameter', 'Expected limit parameter to be a number from 1 to 1000'],
    ['after=p1&limit=1001', 'http.invalid-parameter', 'a number from 1 to 1000'],
    ['after=p1&limit=-1', 'http.invalid-parameter', 'a number from 1 to 1000'],
    ['after=p1&limit=1e2', 'http.invalid-parameter', 'a number from 1 to 1000'],
    ['after=p1&limit=', 'http.invalid-parameter', 'a number from 1 to 1000'],
  ])('refuses %.40j and says what is expected', (query, code, message) => {
    const timeline = new FakeTimeline();
    const error = errorOf(timeline, query);
    expect([error?.code, error?.entry.status]).toEqual([code, 400]);
    expect(error?.message).toContain(message);
    expect(timeline.asked).toEqual([]);
  });

  test.each([
    ['gone', 410, 'take a snapshot again'],
    ['off', 409, 'configure a webhook endpoint for the app'],
  ] as const)('answers a stream that is %s with %i and what to do', (answer, status, message) => {
    const timeline = new FakeTimeline();
    timeline.answer = answer;
    const error = errorOf(timeline, 'after=p1');
    expect([error?.code, error?.entry.status]).toEqual([`lifecycle.${answer}`, status]);
    expect(error?.message).toContain(message);
  });
});
