import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { PostResult } from '../../lib/webhooks/post.ts';
import { delivery } from '../../pipelines/delivery.ts';
import { storyOf } from './running-node.ts';
import { endpoint, type Received, runWebhooks, status } from './running-webhooks.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i)).join(' ');
const never = new Promise<never>(() => undefined);

test('the story of a delivery is this one', () => {
  expect(storyOf(delivery)).toEqual(['sign', 'deliver', 'acknowledge']);
});

describe('a batch signed with another app’s secret', () => {
  test('is not what is sent: each request has the key and the signature of its own app', async () => {
    const { tell, received, pass } = runWebhooks({ webhooks: { concurrency: 1 } });
    for (let i = 0; i < 10; i++) {
      tell(`mine-${i}`, `private-${i}`, 'app-1');
      tell(`theirs-${i}`, `private-${i}`, 'app-2');
    }
    await pass(1_000);
    const hosts = new Set(received.map(({ host }) => host));
    expect(hosts).toEqual(new Set(['a.test', 'b.test']));
    for (const { host, headers, body } of received) {
      const app = host === 'a.test' ? '1' : '2';
      const signature = createHmac('sha256', `secret-${app}`).update(body).digest('hex');
      expect([headers['x-pusher-key'], headers['x-pusher-signature']]).toEqual([`key-${app}`, signature]);
    }
  });
});

describe('a batch that is not taken', () => {
  const answers: readonly (readonly [string, () => PostResult | Promise<PostResult>])[] = [
    ['is answered 500', () => status(500)],
    ['is redirected', () => status(302)],
    ['is answered 429', () => status(429)],
    ['is not answered', () => ({ kind: 'failed', reason: 'connection refused' })],
    ['is refused', () => status(400)],
    ['hangs', () => never],
    ['meets a post that throws', () => Promise.reject(new Error('broken'))],
  ];

  test.each(answers)('because it %s is sent again, until it is', async (_, answer) => {
    let attempts = 0;
    const { tell, received, statusOf, outbox, pass } = runWebhooks({
      answer: () => (++attempts < 4 ? answer() : status(200)),
    });
    tell('1 2');
    await pass(60_000);
    expect([received.length, statusOf('a')?.inFlight, await outbox.backlogs()]).toMatchObject([
      4,
      0,
      [{ events: 0 }, { events: 0 }],
    ]);
  });

  test.each(answers)(
    'because it %s has the same id and the same bytes on each attempt',
    async (_, answer) => {
      let attempts = 0;
      const { tell, received, pass } = runWebhooks({
        answer: () => (++attempts < 4 ? answer() : status(200)),
      });
      tell('1 2');
      await pass(500);
      tell('3');
      await pass(60_000);
      const first = received
        .slice(0, 4)
        .map(({ headers, body }) => [headers['webhook-id'], headers['x-pusher-signature'], body]);
      expect(first).toEqual(Array.from({ length: 4 }, () => first[0]));
    },
  );

  test('holds back its own lane, and no other', async () => {
    const { tell, takenBy, pass } = runWebhooks({
      answer: ({ body }) => status(body.includes('private-bad') ? 503 : 200),
      webhooks: { concurrency: 1 },
    });
    tell('stuck', 'private-bad');
    for (let i = 0; i < 40; i++) tell(String(i), `private-${i}`);
    await pass(10_000);
    expect(new Set(takenBy('a').flatMap((events) => events.split(' '))).size).toBeGreaterThan(30);
  });

  test('is not asked for before the time the endpoint named', async () => {
    const { tell, received, pass } = runWebhooks({
      answer: () => ({ kind: 'answered', status: 429, retryAfterMs: 20_000 }),
    });
    tell('1');
    await pass(19_000);
    const before = received.length;
    await pass(2_000);
    expect([before, received.length]).toEqual([1, 2]);
  });

  test('is told with the host, the attempt and the reason', async () => {
    const { tell, log, pass } = runWebhooks({
      endpoints: [[endpoint('a', { url: 'https://user:word@a.test/secret-path?token=x' })]],
      answer: () => status(503),
    });
    tell('1 2');
    await pass(2_000);
    expect(log.all('webhook.failed')[0]).toEqual({
      appId: 'app-1',
      endpointId: 'a',
      host: 'a.test',
      batchId: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      events: 2,
      attempt: 1,
      reason: '503',
    });
    expect(JSON.stringify(log.events)).not.toMatch(/word|secret-path|token/);
  });
});

describe('a batch that is taken', () => {
  test('is told with the time since its oldest event', async () => {
    const { tell, log, pass } = runWebhooks();
    tell('1');
    await pass(300);
    expect(log.all('webhook.delivered')).toMatchObject([
      { appId: 'app-1', events: 1, attempt: 1, delayMs: 251 },
    ]);
  });

  test('is sent again when the outbox could not be told', async () => {
    const { parts, received, tell, pass } = runWebhooks();
    const acknowledge = jest.spyOn(parts.outbox, 'acknowledge').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    tell('1');
    await pass(10_000);
    expect([
      acknowledge.mock.calls.length,
      received.length,
      new Set(received.map(({ body }) => body)).size,
    ]).toEqual([2, 2, 1]);
  });
});

describe('20 delivery slots shared by all tenants and held through backoff', () => {
  test('are not shared: while every slot of one app hangs, another app’s events are on time', async () => {
    const { tell, log, statusOf, pass } = runWebhooks({
      answer: ({ host }) => (host === 'a.test' ? never : status(200)),
    });
    for (let i = 0; i < 200; i++) tell(String(i), `private-${i}`);
    await pass(1_000);
    const hanging = statusOf('a')?.inFlight;
    for (let i = 0; i < 200; i++) tell(String(i), `private-${i}`, 'app-2');
    await pass(300);
    const delays = log.all('webhook.delivered').map(({ delayMs }) => delayMs);
    expect(hanging).toBeGreaterThan(10);
    expect(Math.max(...delays)).toBeLessThanOrEqual(260);
  });

  test('are not held through backoff: an endpoint that fails has all its slots free in between', async () => {
    const { tell, statusOf, pass } = runWebhooks({ answer: () => status(503), webhooks: { concurrency: 2 } });
    for (let i = 0; i < 50; i++) tell(String(i), `private-${i}`);
    await pass(30_000);
    expect(statusOf('a')).toMatchObject({ inFlight: 0 });
  });
});

describe('a breaker that cannot open', () => {
  test('opens here: a dead endpoint is asked about once in five seconds, however many lanes wait', async () => {
    const { tell, received, statusOf, pass } = runWebhooks({ answer: () => status(503) });
    for (let i = 0; i < 200; i++) tell(String(i), `private-${i}`);
    await pass(5_000);
    const atFirst = received.length;
    await pass(60_000);
    expect(statusOf('a')?.state).not.toBe('closed');
    expect(received.length - atFirst).toBeLessThanOrEqual(13);
  });

  test('and closes: when the endpoint is back everything is delivered within seconds', async () => {
    const { tell, receiver, takenBy, received, pass } = runWebhooks({ answer: () => status(503) });
    for (let i = 0; i < 200; i++) tell(String(i), `private-${i}`);
    await pass(60_000);
    receiver.answer = () => status(200);
    received.splice(0);
    await pass(6_000);
    expect(new Set(takenBy('a').flatMap((events) => events.split(' '))).size).toBe(200);
  });
});

describe('an endpoint that answers 410', () => {
  test('is asked nothing more, and its events are kept', async () => {
    const { tell, received, log, statusOf, outbox, pass } = runWebhooks({ answer: () => status(410) });
    tell('1');
    await pass(300);
    tell('2');
    await pass(600_000);
    expect([received.length, statusOf('a')?.state, log.all('webhook.paused').length]).toEqual([
      1,
      'paused',
      1,
    ]);
    expect((await outbox.backlogs())[0]?.events).toBe(2);
  });

  test('has everything delivered once it is resumed', async () => {
    const { tell, receiver, received, takenBy, parts, pass } = runWebhooks({ answer: () => status(410) });
    tell('1');
    await pass(300);
    tell('2');
    receiver.answer = () => status(200);
    received.splice(0);
    parts.schedule.resume('app-1', 'a');
    await pass(300);
    expect(takenBy('a')).toEqual(['1', '2']);
  });
});

describe('the poison rule', () => {
  const minute = 60_000;

  /** An endpoint that refuses requests in which one of these events is, and is asked for other lanes' as well. */
  async function refuse(poison: RegExp, { others = true, texts = numbers(1, 6) } = {}) {
    const node = runWebhooks({
      answer: ({ events }: Received) => status(events.some((text) => poison.test(text)) ? 400 : 200),
    });
    node.tell(texts);
    for (let i = 0; i < 12; i++) {
      if (others) for (let c = 0; c < 20; c++) node.tell(`other-${i}-${c}`, `private-other-${c}`);
      await node.pass(minute);
    }
    const taken = node.received
      .filter(({ events }) => !events.some((text) => poison.test(text)))
      .flatMap(({ events }) => events)
      .filter((text) => !text.startsWith('other'));
    return { ...node, taken };
  }

  test('finds the one event that is refused and gives it up; the others are taken, in order', async () => {
    const { taken, log } = await refuse(/^4$/);
    expect([taken, log.all('webhook.dead-lettered').length]).toEqual([['1', '2', '3', '5', '6'], 1]);
  });

  test('keeps that event: it can be listed', async () => {
    const { outbox } = await refuse(/^4$/);
    const dead = await outbox.list({ appId: 'app-1', state: 'dead' }, 10);
    expect(dead.map(({ event }) => (event.kind === 'client_event' ? event.data : event.kind))).toEqual(['4']);
  });

  test('lets the lane go on: what comes later is taken', async () => {
    const { tell, takenBy, pass } = await refuse(/^4$/);
    tell('later');
    await pass(1_000);
    expect(takenBy('a').at(-1)).toBe('later');
  });

  test('waits five minutes', async () => {
    const node = runWebhooks({ answer: ({ events }) => status(events.includes('4') ? 400 : 200) });
    node.tell(numbers(1, 6));
    for (let i = 0; i < 19; i++) {
      for (let c = 0; c < 20; c++) node.tell('other', `private-other-${c}`);
      await node.pass(15_000);
    }
    const before = node.log.all('webhook.split').length;
    await node.pass(45_000);
    expect([before, node.log.all('webhook.split').length > 0]).toEqual([0, true]);
  });

  test('does not act while the endpoint takes nothing at all', async () => {
    const { log, statusOf } = await refuse(/./, { others: false });
    expect([log.all('webhook.split'), log.all('webhook.dead-lettered')]).toEqual([[], []]);
    expect(statusOf('a')).toMatchObject({ waiting: 1, inFlight: 0 });
  });

  test('for any set of refused events gives up these and has the others taken, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 10, max: 29 }), { maxLength: 20 }),
        async (refused) => {
          const poison = new RegExp(`^(${refused.join('|') || 'none'})$`);
          const { taken, log, parts } = await refuse(poison, { texts: numbers(10, 29) });
          const wanted = numbers(10, 29)
            .split(' ')
            .filter((text) => !refused.includes(Number(text)));
          expect([taken, log.all('webhook.dead-lettered').length]).toEqual([wanted, refused.length]);
          parts.schedule.close();
          await parts.stores.close();
        },
      ),
      { numRuns: 10 },
    );
  }, 60_000);
});

describe('when the server stops', () => {
  test('what is in windows and backoffs is delivered, without waiting', async () => {
    const { tell, takenBy, receiver, parts, received, pass } = runWebhooks({ answer: () => status(503) });
    tell('failed', 'private-1');
    await pass(260);
    receiver.answer = () => status(200);
    received.splice(0);
    tell('fresh', 'private-2');
    let isDone = false;
    void parts.schedule.drain().then(() => (isDone = true));
    await pass(20);
    expect([[...takenBy('a')].sort(), isDone]).toEqual([['failed', 'fresh'], true]);
  });

  test('a dead endpoint is asked once and holds nobody up', async () => {
    const { tell, takenBy, parts, received, pass } = runWebhooks({
      answer: ({ host }) => status(host === 'a.test' ? 503 : 200),
      webhooks: { concurrency: 1 },
    });
    for (let i = 0; i < 50; i++) tell(String(i), `private-${i}`);
    for (let i = 0; i < 50; i++) tell(String(i), `private-${i}`, 'app-2');
    let isDone = false;
    void parts.schedule.drain().then(() => (isDone = true));
    await pass(100);
    const told = new Set(takenBy('b').flatMap((events) => events.split(' ')));
    expect([takenBy('a').length, told.size, isDone, received.length > 2]).toEqual([1, 50, true, true]);
  });

  test('both pipelines come to their end once the schedule is closed', async () => {
    const { parts, pipelines, tell, pass } = runWebhooks();
    tell('1');
    await pass(300);
    parts.schedule.close();
    await expect(Promise.all(pipelines.map(({ completed }) => completed))).resolves.toHaveLength(2);
  });
});
