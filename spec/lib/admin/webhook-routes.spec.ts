import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type AdminServer, startAdminServer } from '../../../lib/admin/admin-server.ts';
import { FakeWebhooks } from './fake-webhooks.ts';

const token = 'open-sesame';
const tenOClock = Date.UTC(2026, 10, 21, 10);
let webhooks: FakeWebhooks;
let server: AdminServer;

beforeEach(async () => {
  webhooks = new FakeWebhooks();
  server = await start(token);
});
afterEach(() => server.close());

function start(withToken?: string): Promise<AdminServer> {
  return startAdminServer({
    config: { host: '127.0.0.1', port: 0, token: withToken },
    readiness: () => ({ ready: true, checks: {} }),
    metrics: () => Promise.resolve(''),
    contentType: 'text/plain',
    webhooks,
  });
}

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { ...init, headers });
  return { status: answer.status, body: await answer.json() };
}

const post = (path: string, body: unknown) =>
  ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });

describe('GET /webhooks', () => {
  test('tells how every endpoint is and what waits for it', async () => {
    const { status, body } = await ask('/webhooks');
    expect(status).toBe(200);
    const { endpoints } = body as { endpoints: Record<string, unknown>[] };
    expect(endpoints.map(({ app, id, state }) => [app, id, state])).toEqual([
      ['shop', 'orders', 'open'],
      ['shop', 'audit', 'closed'],
      ['chat', 'bot', 'closed'],
      ['shop', 'old', 'retired'],
    ]);
    expect(endpoints[0]).toEqual({
      app: 'shop',
      id: 'orders',
      host: 'shop.example:8443',
      state: 'open',
      inFlight: 1,
      due: 4,
      waiting: 2,
      lastSuccessAt: '2026-11-21T09:59:00.000Z',
      lastFailure: '503',
      undelivered: 3,
      undeliveredBytes: 900,
      oldestAt: '2026-11-21T10:00:00.000Z',
      deadLetters: 1,
      coalesced: 5,
    });
    expect(endpoints[3]).toMatchObject({ host: null, oldestAt: null, deadLetters: 2 });
  });

  test('shows no path, user or password of a URL', async () => {
    expect(JSON.stringify((await ask('/webhooks')).body)).not.toContain('hush');
  });
});

describe('GET /webhooks/events', () => {
  test('lists events as webhooks carry them, with how far they came', async () => {
    const { status, body } = await ask('/webhooks/events?app=shop');
    expect(status).toBe(200);
    expect(body).toMatchObject({ hasMore: false, events: [{}, {}] });
    expect((body as { events: unknown[] }).events[0]).toEqual({
      at: '2026-11-21T10:00:00.000Z',
      event: { name: 'channel_occupied', channel: 'room', id: 'e1-1', seq: 1, epoch: 'e1' },
      deliveries: [
        { endpoint: 'orders', state: 'delivered', batchId: 'msg_1', failures: 0, lastFailure: null },
        { endpoint: 'audit', state: 'pending', batchId: null, failures: 0, lastFailure: null },
      ],
    });
  });

  test('hands every condition to the outbox', async () => {
    await ask(
      `/webhooks/events?app=shop&endpoint=orders&id=e1-1&channel=room&from=2026-11-21T10:00:00Z&to=${tenOClock + 5}&state=dead&limit=7`,
    );
    const query = {
      appId: 'shop',
      endpointId: 'orders',
      id: 'e1-1',
      channel: 'room',
      fromMs: tenOClock,
      toMs: tenOClock + 5,
      state: 'dead',
    };
    expect(webhooks.queries).toEqual([{ query, limit: 8 }]);
  });

  test('says that there are more than the limit', async () => {
    const { body } = await ask('/webhooks/events?app=shop&limit=1');
    expect(body).toMatchObject({ hasMore: true, events: [{ event: { id: 'e1-1' } }] });
    expect((body as { events: unknown[] }).events).toHaveLength(1);
  });

  test('knows an endpoint that is configured no more while something of it is kept', async () => {
    expect((await ask('/webhooks/events?app=shop&endpoint=old')).status).toBe(200);
  });

  test.each([
    ['', 400, 'Missing required parameter: app'],
    ['?app=shop&app=chat', 400, 'Expected app parameter to be a text, given once'],
    ['?app=shop&chanel=x', 400, 'Unknown parameter chanel: known here are app, endpoint, id, channel'],
    ['?app=shop&limit=1001', 400, 'Expected limit parameter to be a number from 1 to 1000'],
    ['?app=shop&state=lost', 400, 'Expected state parameter to be one of pending, recorded, delivered, dead'],
    ['?app=shop&from=noon', 400, 'Expected from parameter to be a time such as'],
    ['?app=shop&from=2&to=1', 400, 'Expected to parameter to be not before from'],
    ['?app=nobody', 404, 'App nobody has no webhook endpoint on this server'],
    ['?app=quiet', 404, 'App quiet has no webhook endpoint on this server'],
    ['?app=shop&endpoint=x', 404, 'App shop has no webhook endpoint x: it has orders, audit, old'],
  ])('with %j answers %i and says why', async (query, status, message) => {
    const answer = await ask(`/webhooks/events${query}`);
    expect(answer.status).toBe(status);
    expect((answer.body as { error: string }).error).toContain(message);
  });
});

describe('GET /webhooks/events/ID', () => {
  test('shows one event with what became of it', async () => {
    const { status, body } = await ask('/webhooks/events/e2-2?app=shop');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      event: { name: 'member_added', id: 'e2-2' },
      deliveries: [{ endpoint: 'orders', state: 'dead', batchId: 'msg_2', failures: 7, lastFailure: '422' }],
    });
  });

  test('is 404 for one that is not kept', async () => {
    const { status, body } = await ask('/webhooks/events/e9-9?app=shop');
    expect([status, body]).toEqual([
      404,
      { error: 'No event e9-9 of app shop is kept', code: 'admin.unknown-event' },
    ]);
  });
});

describe('POST /webhooks/retry', () => {
  test('asks every endpoint of the app again', async () => {
    const { status, body } = await post('/webhooks/retry', { app: 'shop' });
    expect([status, body]).toEqual([200, { endpoints: ['orders', 'audit'], replayed: 0 }]);
    expect(webhooks.resumed).toEqual(['shop orders', 'shop audit']);
    expect(webhooks.replays).toEqual([]);
  });

  test('sends each endpoint its own dead letters when it is told to', async () => {
    const { body } = await post('/webhooks/retry', { app: 'shop', deadLetters: true });
    expect(body).toEqual({ endpoints: ['orders', 'audit'], replayed: 4 });
    expect(webhooks.replays.map(({ query }) => query)).toEqual([
      { appId: 'shop', endpointId: 'orders', state: 'dead' },
      { appId: 'shop', endpointId: 'audit', state: 'dead' },
    ]);
  });

  test('cannot ask an endpoint that is configured no more', async () => {
    const { status, body } = await post('/webhooks/retry', { app: 'shop', endpoint: 'old' });
    expect([status, body]).toMatchObject([
      404,
      { error: 'App shop has no webhook endpoint old: it has orders, audit' },
    ]);
    expect(webhooks.resumed).toEqual([]);
  });
});

describe('POST /webhooks/replay', () => {
  test('sends what is described again', async () => {
    const { status, body } = await post('/webhooks/replay', {
      app: 'shop',
      endpoint: 'orders',
      channel: 'room',
      from: tenOClock,
      limit: 10,
    });
    expect([status, body]).toEqual([200, { endpoints: ['orders'], replayed: 2, limit: 10 }]);
    const query = { appId: 'shop', endpointId: 'orders', channel: 'room', fromMs: tenOClock };
    expect(webhooks.replays).toEqual([{ query, limit: 10 }]);
  });

  test.each([{}, { endpoint: 'orders' }])('wants to know which events: %j is not enough', async (which) => {
    const { status, body } = await post('/webhooks/replay', { app: 'shop', ...which });
    expect([status, body]).toMatchObject([
      400,
      { error: 'Missing required parameter: id, channel, from or to' },
    ]);
    expect(webhooks.replays).toEqual([]);
  });
});

describe.each(['/webhooks/retry', '/webhooks/replay'])('POST %s', (path) => {
  test.each([
    ['{', 'http.malformed-json'],
    ['', 'http.malformed-json'],
    ['[]', 'http.malformed-json'],
    ['{"app":"shop","state":"dead"}', 'admin.unknown-parameter'],
    ['{"app":7}', 'http.invalid-parameter'],
    ['{"endpoint":"orders"}', 'http.missing-parameter'],
  ])('refuses the body %s', async (body, code) => {
    expect((await post(path, body)).body).toMatchObject({ code });
    expect([webhooks.resumed, webhooks.replays]).toEqual([[], []]);
  });

  test('refuses a body that is too large', async () => {
    const { status, body } = await post(path, { app: 'x'.repeat(70_000) });
    expect([status, body]).toMatchObject([413, { code: 'http.body-too-large' }]);
  });

  test('without a token on the server shows and changes nothing', async () => {
    await server.close();
    server = await start();
    const { status, body } = await post(path, { app: 'shop', id: 'e1-1' });
    expect([status, body]).toEqual([
      403,
      {
        error: 'Without a token this listener shows and changes nothing: set admin.token, and send it',
        code: 'admin.read-only',
      },
    ]);
    expect([webhooks.resumed, webhooks.replays]).toEqual([[], []]);
    expect((await ask('/webhooks')).status).toBe(200);
  });
});

describe('with a wrong token', () => {
  test.each([
    ['GET', '/webhooks'],
    ['GET', '/webhooks/events?app=shop'],
    ['GET', '/webhooks/events/e1-1?app=shop'],
    ['POST', '/webhooks/retry'],
    ['POST', '/webhooks/replay'],
  ])('%s %s is refused', async (method, path) => {
    const { status, body } = await ask(path, { method, headers: { authorization: 'Bearer wrong' } });
    expect([status, body]).toMatchObject([401, { code: 'admin.token' }]);
  });
});
