import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Neighbour } from '../../fuzz/neighbour.ts';
import { TestApi } from '../../support/api.ts';
import { closeClients } from '../../support/client.ts';
import { closeRawSockets, type HttpHead, openRaw } from '../../support/raw-socket.ts';
import { otherApp, startTestServer, testApp, type TestServer } from '../../support/server.ts';

/** Echoed after every case, faster than a client event may come. */
const neighbourApp = { ...otherApp, clientEvents: { enabled: true, perSecond: 0 } };

let server: TestServer;
let api: TestApi;
let neighbour: Neighbour;
beforeAll(async () => {
  server = await startTestServer({ config: { apps: [testApp, neighbourApp] } });
  api = new TestApi(server);
  neighbour = await Neighbour.open({
    port: server.port,
    appId: otherApp.id,
    key: otherApp.key,
    secret: otherApp.secret,
  });
});
afterEach(async () => {
  expect(await neighbour.echo()).toBeUndefined();
  expect(server.log.events.filter(({ name }) => name.endsWith('.failed'))).toEqual([]);
  closeRawSockets();
});
afterAll(async () => {
  api.close();
  closeClients();
  await server.stop();
});

const limit = 1_048_576;
const right = { name: 'e', channel: 'c', data: 'd' };

async function raw(text: string | Buffer): Promise<HttpHead & { body: string }> {
  const socket = await openRaw(server.port);
  socket.write(text);
  return socket.answer();
}

describe('bodies', () => {
  it('one that says it is too large is refused before it is sent', async () => {
    const answer = await raw(
      `POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\nContent-Length: ${limit + 1}\r\n\r\n`,
    );
    expect(answer.status).toBe(413);
    expect(answer.headers.get('connection')).toBe('close');
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'http.body-too-large' });
  });

  it('one that turns out to be too large is refused in the middle', async () => {
    const socket = await openRaw(server.port);
    socket.write(
      `POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = Buffer.alloc(65_536, 'x');
    for (let sent = 0; sent <= limit; sent += chunk.length) {
      socket.write(Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]));
    }
    expect(await socket.answer()).toMatchObject({ status: 413 });
    expect(await socket.ended).toBeDefined();
  });

  it.each(['Content-Length: 10485760\r\n', 'Transfer-Encoding: chunked\r\n'])(
    'one of 10 MB ends the connection, whether or not it says so (%j)',
    async (header) => {
      const socket = await openRaw(server.port);
      socket.write(`POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\n${header}\r\n`);
      if (header.startsWith('Transfer')) socket.write('a00000\r\n');
      socket.write(Buffer.alloc(10 * 1024 * 1024, 'x'));
      expect(await socket.ended).toBeDefined();
    },
  );

  it('one of exactly the largest size is read', async () => {
    const filler = 'x'.repeat(limit - JSON.stringify({ ...right, more: '' }).length);
    expect((await api.post('/events', { ...right, more: filler })).status).toBe(200);
    expect((await api.post('/events', { ...right, more: `${filler}x` })).status).toBe(413);
  });

  it('one in chunks is read like any other', async () => {
    const socket = await openRaw(server.port);
    const head = `POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    socket.write(`${head}2\r\n{}\r\n0\r\n\r\n`);
    expect(await socket.answer()).toMatchObject({ status: 401 });
    socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await socket.answer()).toMatchObject({ status: 200 });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['no object', '[]'],
    ['null', 'null'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['half a million brackets', '['.repeat(500_000)],
  ])('%s is answered with 400', async (_name, body) => {
    for (const path of ['/events', '/batch_events']) expect((await api.post(path, body)).status).toBe(400);
  });

  it('data that is nested a hundred thousand levels deep is answered with 400', async () => {
    const data = '['.repeat(100_000) + ']'.repeat(100_000);
    const answer = await api.post('/events', `{"name":"e","channel":"c","data":${data}}`);
    expect([400, 413]).toContain(answer.status);
  });

  it('a caller that goes away in the middle of its body leaves nothing behind', async () => {
    const socket = await openRaw(server.port);
    socket.write(
      `POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"name"`,
    );
    socket.reset();
    expect((await api.post('/events', right)).status).toBe(200);
  });

  it('a caller that asks before it sends is told to go on', async () => {
    const body = 'not signed';
    const socket = await openRaw(server.port);
    const head = `POST /apps/${server.appId}/events HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n`;
    socket.write(`${head}Expect: 100-continue\r\n\r\n`);
    expect((await socket.head()).status).toBe(100);
    socket.write(body);
    expect((await socket.answer()).status).toBe(401);
  });

  it('an expectation nobody knows is answered with 417', async () => {
    expect(
      (await raw('POST /apps/x/events HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 0\r\n\r\n'))
        .status,
    ).toBe(417);
  });
});

const wrong = [null, 7, true, {}, [7]];
const fieldCases = [
  ['name', wrong],
  ['channel', wrong],
  ['channels', [null, 7, true, 'c', {}, [7], [null], [['c']], []]],
  ['socket_id', [7, true, {}, []]],
  ['info', [7, true, {}, []]],
] as const;

describe('wrong types', () => {
  it.each(fieldCases)('%s of another type is answered with 400', async (field, values) => {
    for (const value of values) {
      expect(await api.post('/events', { ...right, [field]: value })).toMatchObject({ status: 400 });
      if (field === 'channels') continue;
      const batch = [right, { ...right, [field]: value }];
      expect(await api.post('/batch_events', { batch })).toMatchObject({ status: 400 });
    }
  });

  it.each([null, 7, 'x', {}])('a batch that is %j is answered with 400', async (batch) => {
    expect((await api.post('/batch_events', { batch })).status).toBe(400);
    expect((await api.post('/batch_events', { batch: [batch] })).status).toBe(400);
  });

  it('fields that are only inherited are no fields', async () => {
    const answer = await api.post('/events', '{"__proto__":{"name":"e","channel":"c","data":"d"}}');
    expect(answer).toMatchObject({ status: 400, json: { code: 'http.missing-parameter' } });
    expect(({} as { name?: unknown }).name).toBeUndefined();
  });
});

describe('queries', () => {
  it.each(['auth_key=x', 'AUTH_KEY=x', 'auth%5Fkey=x', 'info=a&info=b'])(
    'a key given twice (%s) is answered with 400',
    async (extraQuery) => {
      const answer = await api.get('/channels', {}, { extraQuery });
      expect(answer).toMatchObject({ status: 400, json: { code: 'http.duplicate-parameter' } });
    },
  );

  it.each(['x=%', 'x=%f', 'x=%zz', 'x=%ff', '%c3%28=x'])(
    '%s is no percent-encoded UTF-8 and answered with 400',
    async (extraQuery) => {
      const answer = await api.get('/channels', {}, { extraQuery });
      expect(answer).toMatchObject({ status: 400, json: { code: 'http.malformed-query' } });
    },
  );

  it.each([-610, 610])('a timestamp %d s away is answered with 401', async (seconds) => {
    const timestamp = Math.floor(Date.now() / 1000) + seconds;
    const answer = await api.get('/channels', {}, { timestamp });
    expect(answer).toMatchObject({ status: 401, json: { code: 'http.auth-timestamp-expired' } });
  });

  it.each(['', 'now', '-5', '1e9', '0x10', '9'.repeat(400)])(
    '%j is no timestamp and answered with 401',
    async (timestamp) => {
      expect((await api.get('/channels', {}, { sign: { auth_timestamp: timestamp } })).status).toBe(401);
    },
  );

  it('keys of the prototype are parameters like others', async () => {
    const answer = await api.get('/channels', { ['__proto__']: 'x', constructor: 'y', toString: 'z' });
    expect(answer.status).toBe(200);
  });

  it('the key of another app is answered with 401', async () => {
    const answer = await api.get('/channels', {}, { sign: { auth_key: otherApp.key } });
    expect(answer).toMatchObject({ status: 401, json: { code: 'http.auth-key-unknown' } });
  });
});

describe('targets', () => {
  it.each([
    '//apps/app-1/channels',
    '/apps//channels',
    '/apps/app-1//channels',
    '/apps/app-1/channels/',
    '/apps/app-1/channels/x/',
    '/apps/../apps/app-1/channels',
    '/apps/app-1/channels/..',
    '/apps/app-1/./channels',
    '/apps/app-1/users/a%2Fb/terminate_connections/x',
    '/apps/%/channels',
    '/apps/__proto__/channels',
    'http://127.0.0.1/apps/app-1/channels',
    '*',
    '/',
    '/app/x',
    '/\u00ff',
  ])('%s is not made into another path', async (target) => {
    const { status } = await raw(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, 'latin1'));
    expect([400, 401, 404, 405]).toContain(status);
  });

  it.each(['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE'])(
    '%s is answered with 405',
    async (method) => {
      const socket = await openRaw(server.port);
      socket.write(`${method} /apps/app-1/events HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect((await socket.head()).status).toBe(405);
    },
  );

  it('an answer to HEAD has no body, and the next request on the connection is answered', async () => {
    const socket = await openRaw(server.port);
    socket.write('HEAD /live HTTP/1.1\r\nHost: x\r\n\r\n');
    await socket.answer(true);
    socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await socket.answer()).toMatchObject({ status: 200, body: '{"status":"live"}' });
  });

  it('a tunnel is not opened', async () => {
    const socket = await openRaw(server.port);
    socket.write('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await socket.ended).toBeDefined();
    expect(socket.pending.toString()).not.toContain(' 200 ');
  });
});
