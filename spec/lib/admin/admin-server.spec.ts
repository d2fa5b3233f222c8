import { request } from 'node:http';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import {
  type AdminServer,
  type AdminServerOptions,
  startAdminServer,
} from '../../../lib/admin/admin-server.ts';
import { FakeWebhooks } from './fake-webhooks.ts';

const running: AdminServer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

async function start(options: Partial<AdminServerOptions> = {}, token?: string): Promise<AdminServer> {
  const server = await startAdminServer({
    config: { host: '127.0.0.1', port: 0, token },
    readiness: () => ({ ready: true, checks: { membership: { ok: true } } }),
    metrics: () => Promise.resolve('spillway_connections 1\n'),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    webhooks: new FakeWebhooks(),
    ...options,
  });
  running.push(server);
  return server;
}

function ask(server: AdminServer, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });

describe('the admin server', () => {
  test('answers live', async () => {
    const answer = await ask(await start(), '/live');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: 'live' });
  });

  test.each(['/ready', '/health', '/up', '/accept-traffic'])(
    '%s tells readiness with every check',
    async (path) => {
      const answer = await ask(await start(), path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.json()).toEqual({ status: 'ready', checks: { membership: { ok: true } } });
    },
  );

  test('is 503 while not ready, and still live', async () => {
    const server = await start({ readiness: () => ({ ready: false, checks: { drain: { ok: false } } }) });
    expect((await ask(server, '/ready')).status).toBe(503);
    expect((await ask(server, '/live')).status).toBe(200);
  });

  test('serves the metrics with their content type', async () => {
    const answer = await ask(await start(), '/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toBe('spillway_connections 1\n');
  });

  test('with a token asks for it on /metrics, not for health', async () => {
    const server = await start({}, 'open-sesame');
    const refused = await ask(server, '/metrics');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refused.json()).toMatchObject({ code: 'admin.token' });
    expect((await ask(server, '/metrics', bearer('wrong'))).status).toBe(401);
    expect((await ask(server, '/metrics', bearer('open-sesame'))).status).toBe(200);
    expect((await ask(server, '/live')).status).toBe(200);
    expect((await ask(server, '/ready')).status).toBe(200);
  });

  test('answers an unknown path as JSON, without repeating its query', async () => {
    const answer = await ask(await start(), '/nowhere?token=hush');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: 'Path not found: /nowhere', code: 'http.not-found' });
  });

  test('answers a path that is no path as JSON too', async () => {
    const server = await start();
    const answer = await rawAsk(server, '/%zz');
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'http.not-found' });
  });

  test('hides what went wrong from the caller and tells the owner', async () => {
    const onError = jest.fn();
    const failure = new Error('the reason');
    const server = await start({ metrics: () => Promise.reject(failure), onError });
    const answer = await ask(server, '/metrics');
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ error: 'Internal error: try again', code: 'internal' });
    expect(onError.mock.calls).toEqual([['/metrics', failure]]);
  });

  test('refuses to start on a port that is taken', async () => {
    const { port } = await start();
    const second = start({ config: { host: '127.0.0.1', port } });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('close does not wait for a client that keeps its connection', async () => {
    const server = await start();
    await ask(server, '/live', { headers: { connection: 'keep-alive' } });
    await running.pop()?.close();
    await expect(ask(server, '/live')).rejects.toThrow();
  });
});

/** `fetch` refuses to send such a path. */
function rawAsk({ port }: AdminServer, path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    });
    asked.on('error', reject).end();
  });
}
