import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TestApi } from '../../support/api.ts';
import { closeClients, connect, type TestClient } from '../../support/client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

let server: TestServer;
let client: TestClient;
let api: TestApi;
beforeAll(async () => {
  server = await startTestServer({ app: { clientEvents: { enabled: true, perSecond: 0 } } });
  client = await connect(server);
  api = new TestApi(server);
  await client.subscribed('private-x');
});
afterAll(async () => {
  expect(server.log.events.filter(({ name }) => name.endsWith('.failed'))).toEqual([]);
  api.close();
  closeClients();
  await server.stop();
});

const runs = { numRuns: 300 };
const json = fc.jsonValue({ maxDepth: 4 });
const key = fc.oneof(
  fc.constantFrom('event', 'data', 'channel', 'auth', 'channel_data', 'user_data', '__proto__'),
  fc.string(),
);
const events = fc.constantFrom(
  'pusher:subscribe',
  'pusher:unsubscribe',
  'pusher:signin',
  'pusher:pong',
  'client-x',
  'other',
);
/** What the server may say to a message that is not for others. */
const answers = new Set([
  'pusher:error',
  'pusher:subscription_error',
  'pusher_internal:subscription_succeeded',
  'pusher:cache_miss',
]);

async function answersTo(text: string): Promise<readonly string[]> {
  client.sendText(text);
  const frames = await client.drain();
  return frames.map(({ event }) => event).filter((event) => !answers.has(event));
}

describe('whatever a client sends', () => {
  it('any text is answered or ignored, and the connection stays', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      json.map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(text, async (sent) => expect(await answersTo(sent)).toEqual([])),
      runs,
    );
  });

  it('any fields of any command are answered or ignored, and the connection stays', async () => {
    const message = fc.record(
      { event: events, channel: json, data: fc.oneof(json, fc.dictionary(key, json)) },
      { requiredKeys: ['event'] },
    );
    await fc.assert(
      fc.asyncProperty(message, async (sent) => expect(await answersTo(JSON.stringify(sent))).toEqual([])),
      runs,
    );
  });
});

describe('whatever a publisher sends', () => {
  const statuses = [200, 400, 413];

  it('any body that is signed is published, or refused with the reason', async () => {
    const field = fc.constantFrom(
      'name',
      'data',
      'channel',
      'channels',
      'socket_id',
      'info',
      'batch',
      '__proto__',
    );
    const item = fc.dictionary(field, fc.oneof(json, fc.constantFrom('a', 'private-x', ['a', 'b'])));
    const body = fc.oneof(
      json,
      item,
      item.map((one) => ({ batch: [one, one] })),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/events', '/batch_events'), body, async (path, sent) => {
        const answer = await api.post(path, sent);
        expect(statuses).toContain(answer.status);
        expect(answer.json).toEqual(expect.any(Object));
      }),
      runs,
    );
  });

  it('any query that is signed is answered, or refused with the reason', async () => {
    const name = fc.stringMatching(/^[a-z_.-]{1,12}$/).filter((text) => !/^(auth_|body_)/.test(text));
    const value = fc.string({ unit: 'grapheme' });
    const query = fc.dictionary(fc.oneof(name, fc.constantFrom('info', 'filter_by_prefix')), value);
    const path = fc.constantFrom('/channels', '/channels/private-x', '/channels/presence-x/users');
    await fc.assert(
      fc.asyncProperty(path, query, async (asked, sent) => {
        expect([200, 400, 401]).toContain((await api.get(asked, sent)).status);
      }),
      runs,
    );
  });

  it('any name in the path is a name or no valid one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (name) => {
        const { status } = await api.get(`/channels/${encodeURIComponent(name)}`);
        expect([200, 400]).toContain(status);
      }),
      runs,
    );
  });
});
