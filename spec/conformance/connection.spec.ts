import { request } from 'node:http';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Closed, type ConnectOptions, connect, open, type Target } from '../support/client.ts';
import { otherApp, testApp } from '../support/server.ts';
import { dataOf, oneNode, overEveryStore, room, type Start, type Started, wire } from './each-store.ts';

const establishedEvent = 'pusher:connection_established';
const tls = {
  certFile: resolve('spec/conformance/tls/cert.pem'),
  keyFile: resolve('spec/conformance/tls/key.pem'),
};

/** What a client that is turned away is told: in the frame, and in the close. */
async function refusalOf(
  target: Target,
  options: ConnectOptions,
): Promise<{ readonly frame: unknown; readonly closed: Closed }> {
  const client = await open(target, options);
  const frame = wire(await client.next());
  return { frame, closed: await client.closed };
}

/** Both forms of one refusal: the same code and the same words. */
function refusal(code: number, message: string): unknown {
  return {
    frame: { event: 'pusher:error', data: { code, message } },
    closed: { code, reason: message },
  };
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** An upgrade request by hand, for what a WebSocket library would hide. */
function upgrade(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  return new Promise((answered, failed) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    outgoing.on('upgrade', (incoming, socket) => {
      socket.destroy();
      answered({ status: incoming.statusCode ?? 0, headers: incoming.headers });
    });
    outgoing.on('response', (incoming) => {
      incoming.resume();
      answered({ status: incoming.statusCode ?? 0, headers: incoming.headers });
    });
    outgoing.on('error', failed);
    outgoing.end();
  });
}

overEveryStore((start) => {
  describe('address and query', () => addressAndQuery(start));
  describe('handshake', () => handshake(start));
  describe('liveness', () => liveness(start));
  describe('close codes', () => closeCodes(start));
  describe('frames', () => frames(start));
});

function addressAndQuery(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ app: { key: 'key-1.~x' } });
  });

  it('1.1 the query pusher-js sends is accepted', async () => {
    await connect(server, { path: '/app/key-1.~x?protocol=7&client=js&version=8.6.0&flash=false' });
  });

  it.each(['4', '5', '6', '7'])('1.1 protocol %s is accepted', async (protocol) => {
    await connect(server, { path: `/app/key-1.~x?protocol=${protocol}` });
  });

  it.each(['', '?client=js', '?protocol='])(
    '1.1 a missing protocol is taken for the current one: "%s"',
    async (query) => {
      await connect(server, { path: `/app/key-1.~x${query}` });
    },
  );

  it.each(['1', '2', '3', '8', '70', 'seven', '7.0', '-7', '0x7'])(
    '1.1 protocol %s is closed with 4007',
    async (protocol) => {
      const message = `Unsupported protocol version ${protocol}: this server speaks 4 to 7`;
      expect(await refusalOf(server, { path: `/app/key-1.~x?protocol=${protocol}` })).toEqual(
        refusal(4007, message),
      );
    },
  );

  it('1.1 client and version are free text, kept up to a length', async () => {
    for (const query of [
      'version=2.2.0%20rc1',
      'version=',
      'client=%F0%9F%98%80',
      `client=${'x'.repeat(5000)}`,
    ]) {
      await connect(server, { path: `/app/key-1.~x?protocol=7&${query}` });
    }
    const [last] = server.log.all('connection.opened').slice(-1);
    expect(last?.client).toBe('x'.repeat(60));
  });

  it('1.1 unknown query keys are ignored', async () => {
    await connect(server, { path: '/app/key-1.~x?flash=true&protocol=7&x=%zz&protocol=1&__proto__=1' });
  });

  it('1.1 the path prefix is stripped', async () => {
    const prefixed = await start({ config: { server: { path: '/ws/v1' } } });
    await connect(prefixed, { path: `/ws/v1/app/${testApp.key}?protocol=7` });
    expect((await prefixed.api.call('GET', `/apps/${testApp.id}/channels`)).status).toBe(200);
  });

  it('1.1 no subprotocol is selected', async () => {
    const path = '/app/key-1.~x?protocol=7';
    const offered = await upgrade(server.port, path, { 'Sec-WebSocket-Protocol': 'pusher, other' });
    const silent = await upgrade(server.port, path);
    expect([offered.status, silent.status]).toEqual([101, 101]);
    expect(offered.headers).not.toHaveProperty('sec-websocket-protocol');
    expect(silent.headers).not.toHaveProperty('sec-websocket-protocol');
  });

  it('1.1 a percent-encoded key is decoded', async () => {
    await connect(server, { path: '/app/%6Bey%2D1.%7Ex?protocol=7' });
  });

  it('1.1 the key is decoded once only', async () => {
    const { closed } = await refusalOf(server, { path: '/app/%256Bey-1.~x?protocol=7' });
    expect(closed.code).toBe(4001);
  });

  it('1.1 a key is compared as an opaque string', async () => {
    for (const key of ['KEY-1.~X', 'key-1.~x%20', 'key-1.~', '__proto__', '%zz']) {
      const { closed } = await refusalOf(server, { path: `/app/${key}?protocol=7` });
      expect(closed.code).toBe(4001);
    }
  });

  it.each(['/pusher/app/key-1.~x/123/abc/xhr_streaming', '/pusher/app/key-1.~x/123/abc/xhr', '/pusher/info'])(
    '1.1 HTTP fallbacks get a quick 404: %s',
    async (path) => {
      expect((await server.api.raw('POST', path, Buffer.from('[]'))).status).toBe(404);
      expect((await server.api.raw('GET', path)).status).toBe(404);
    },
  );

  it.each(['/app/', '/app', '/', '/elsewhere', '/app/a/b'])(
    '1.1 a wrong path is refused after the upgrade: %s',
    async (path) => {
      expect((await upgrade(server.port, path)).status).toBe(101);
      expect(await refusalOf(server, { path })).toEqual(
        refusal(4005, 'Path not found: connect to /app/YOUR_KEY'),
      );
    },
  );
}

function handshake(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ config: { server: { activityTimeoutSeconds: 77 } } });
  });

  it('1.2 the first frame is connection_established', async () => {
    const client = await open(server);
    expect((await client.next()).event).toBe(establishedEvent);
  });

  it('1.2 data of connection_established is a string', async () => {
    const client = await open(server);
    const frame = await client.next();
    expect(wire(frame)).toEqual({ event: establishedEvent, data: expect.any(String) });
    expect(dataOf(frame)).toEqual({ socket_id: expect.any(String), activity_timeout: 77 });
  });

  it('1.2 a socket id is two integers below 2^53', async () => {
    const { socketId } = await connect(server);
    expect(socketId).toMatch(/^\d+\.\d+$/);
    for (const part of socketId.split('.')) expect(Number.isSafeInteger(Number(part))).toBe(true);
  });

  it('1.2 socket ids are unique', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connect(server)));
    expect(new Set(clients.map(({ socketId }) => socketId)).size).toBe(50);
  });

  it('1.2 activity_timeout is the configured number of seconds', async () => {
    const client = await open(server);
    expect(dataOf(await client.next())).toMatchObject({ activity_timeout: 77 });
  });

  it('1.2 frames sent before connection_established are answered after it', async () => {
    const client = await open(server);
    const channel = room();
    client.subscribe(channel);
    client.sendText('no json');
    expect((await client.next()).event).toBe(establishedEvent);
    const events = [(await client.next()).event, (await client.next()).event];
    expect(events).toEqual(['pusher_internal:subscription_succeeded', 'pusher:error']);
  });

  it('1.2 a client that leaves before connection_established leaves nothing behind', async () => {
    const limited = oneNode(await start({ app: { maxConnections: 1 } }));
    for (let round = 0; round < 5; round++) {
      const client = await open(limited);
      client.terminate();
      await client.closed;
    }
    for (;;) {
      const client = await open(limited);
      if ((await client.next()).event === establishedEvent) break;
    }
    expect(limited.running.parts.connections.size).toBe(1);
  });
}

function liveness(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({ config: { server: { activityTimeoutSeconds: 1, pongTimeoutSeconds: 1 } } });
  });

  it.each([
    '{"event":"pusher:ping","data":{}}',
    '{"event": "pusher:ping"}',
    '{"event":"pusher:ping","data":"{}"}',
    '{"event":"pusher:ping","data":null}',
    '{"event":"pusher:ping","data":"","channel":null}',
  ])('1.3 a pusher:ping is answered: %s', async (text) => {
    const client = await connect(server);
    client.sendText(text);
    expect(wire(await client.next())).toEqual({ event: 'pusher:pong', data: '{}' });
  });

  it('1.3 a protocol ping is answered with a protocol pong', async () => {
    const client = await connect(server);
    const ponged = new Promise((done) => client.socket.once('pong', (data: Buffer) => done(data.toString())));
    client.socket.ping('are you there');
    expect(await ponged).toBe('are you there');
  });

  it('1.3 the server probes with a protocol ping, and its pong keeps the connection', async () => {
    const client = await connect(server);
    const pinged = (): Promise<void> => new Promise((done) => client.socket.once('ping', () => done()));
    await pinged();
    await pinged();
    expect(await client.drain()).toEqual([]);
  });

  it('1.3 a silent peer is closed with 4201', async () => {
    const silent = await connect(server, { socket: { autoPong: false } });
    expect(wire(await silent.next())).toEqual({
      event: 'pusher:error',
      data: { code: 4201, message: 'Pong reply not received in time' },
    });
    expect(await silent.closed).toEqual({ code: 4201, reason: 'Pong reply not received in time' });
    const { cause } = await server.log.waitFor(
      'connection.closed',
      ({ socketId }) => socketId === silent.socketId,
    );
    expect(cause).toBe('pong-timeout');
  });

  it('1.3 any frame counts as activity, pongs of the protocol are not needed', async () => {
    const talking = await connect(server, { socket: { autoPong: false } });
    const pinging = await connect(server, { socket: { autoPong: false } });
    const silent = await connect(server, { socket: { autoPong: false } });
    const timer = setInterval(() => {
      talking.send({ event: 'pusher:pong', data: {} });
      pinging.socket.ping();
    }, 200);
    await silent.closed;
    clearInterval(timer);
    expect(await talking.drain()).toEqual([]);
    expect(await pinging.drain()).toEqual([]);
  });

  it('1.3 an unsolicited pusher:pong gets no reply', async () => {
    const client = await connect(server);
    client.send({ event: 'pusher:pong', data: {} });
    client.send({ event: 'pusher:pong' });
    expect(await client.drain()).toEqual([]);
  });
}

function closeCodes(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start({
      config: {
        apps: [
          testApp,
          { ...otherApp, enabled: false },
          { id: 'tls', key: 'tls-key', secret: 's', tlsOnly: true },
          { id: 'origins', key: 'origins-key', secret: 's', allowedOrigins: ['https://*.example.com'] },
        ],
        server: { trustedProxies: ['127.0.0.1'] },
      },
    });
  });

  it('1.4 TLS required is 4000', async () => {
    expect(await refusalOf(server, { key: 'tls-key' })).toEqual(
      refusal(4000, 'App tls-key accepts TLS connections only: use wss'),
    );
  });

  it('1.4 a tlsOnly app is reached over TLS', async () => {
    const secured = await start({ app: { tlsOnly: true }, config: { server: { tls } } });
    await connect(secured, { secure: true });
  });

  it('1.4 a tlsOnly app is reached through a trusted proxy that has TLS', async () => {
    await connect(server, { key: 'tls-key', headers: { 'X-Forwarded-Proto': 'https' } });
    const { closed } = await refusalOf(server, { key: 'tls-key', headers: { 'X-Forwarded-Proto': 'http' } });
    expect(closed.code).toBe(4000);
  });

  it('1.4 an unknown app is 4001', async () => {
    expect(await refusalOf(server, { key: 'nobody' })).toEqual(
      refusal(4001, 'App key nobody not in this cluster. Did you forget to specify the cluster?'),
    );
  });

  it('1.4 a disabled app is 4003', async () => {
    expect(await refusalOf(server, { key: otherApp.key })).toEqual(
      refusal(4003, `App ${otherApp.key} is disabled`),
    );
  });

  it('1.4 over quota is 4004, and 4100 where configured', async () => {
    for (const code of [4004, 4100]) {
      const limited = await start({
        app: { maxConnections: 1 },
        config: { server: { overCapacityCode: code } },
      });
      await connect(limited);
      const message = 'Account over quota: app app-1 is at its maximum of 1 connections';
      expect(await refusalOf(limited, {})).toEqual(refusal(code, message));
    }
  });

  it('1.4 a place that was freed is given again', async () => {
    const limited = await start({ app: { maxConnections: 1 } });
    const first = await connect(limited);
    await first.close();
    await limited.log.waitFor('connection.closed');
    await connect(limited);
    expect((await refusalOf(limited, {})).closed.code).toBe(4004);
  });

  it('1.4 the quota holds when many come at once', async () => {
    const limited = await start({ app: { maxConnections: 5 } });
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(limited)));
    const first = await Promise.all(clients.map((client) => client.next()));
    expect(first.filter(({ event }) => event === establishedEvent)).toHaveLength(5);
  });

  it('1.4 a wrong path is 4005', async () => {
    expect((await refusalOf(server, { path: '/app/' })).closed.code).toBe(4005);
  });

  it('1.4 an unsupported protocol is 4007', async () => {
    expect((await refusalOf(server, { query: 'protocol=99' })).closed.code).toBe(4007);
  });

  it('1.4 a foreign origin is 4009, no origin is welcome', async () => {
    const key = 'origins-key';
    expect(await refusalOf(server, { key, headers: { Origin: 'https://evil.org' } })).toEqual(
      refusal(4009, 'Origin https://evil.org is not allowed for this app'),
    );
    await connect(server, { key, headers: { Origin: 'https://app.example.com' } });
    await connect(server, { key });
  });

  it('1.4 a deploy closes with 4200', async () => {
    const draining = await start();
    const client = await connect(draining);
    const stopped = draining.stop();
    const message = 'Server is restarting: reconnect now';
    expect(wire(await client.next())).toEqual({ event: 'pusher:error', data: { code: 4200, message } });
    expect(await client.closed).toEqual({ code: 4200, reason: message });
    await stopped;
  });

  it('1.4 a deploy closes in waves', async () => {
    const draining = oneNode(await start({ config: { drain: { waveMs: 60, perWave: 1 } } }));
    const clients = await Promise.all([connect(draining), connect(draining), connect(draining)]);
    const closedAt = clients.map(async ({ closed }) => {
      await closed;
      return performance.now();
    });
    await draining.stop();
    const [first = 0, , last = 0] = (await Promise.all(closedAt)).sort((a, b) => a - b);
    expect(last - first).toBeGreaterThan(40);
  });

  it('1.4 a full server answers 503 with Retry-After', async () => {
    const full = oneNode(await start({ config: { server: { maxConnections: 1 } } }));
    await connect(full);
    const answer = await upgrade(full.port, `/app/${full.key}?protocol=7`);
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });

  it('1.4 a pusher:error leaves the connection open where nothing is closed', async () => {
    const client = await connect(server);
    client.sendText('nonsense');
    expect((await client.next()).event).toBe('pusher:error');
    expect(await client.drain()).toEqual([]);
  });

  it('1.4 a reason has at most 123 bytes of UTF-8 and no broken character', async () => {
    const { frame, closed } = await refusalOf(server, { key: encodeURIComponent('é'.repeat(150)) });
    expect(frame).toMatchObject({ data: { code: 4001, message: expect.stringContaining('é'.repeat(150)) } });
    expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123);
    expect(closed.reason).toMatch(/^App key é+$/);
  });

  it('1.4 a burst of client events is no reason to close', async () => {
    const client = await connect(server);
    const channel = room('private-');
    await client.subscribed(channel);
    for (let sent = 0; sent < 30; sent++) client.send({ event: 'client-x', channel, data: '' });
    expect((await client.waitFor('pusher:error')).data).toMatchObject({ code: 4301 });
    await client.drain();
  });
}

function frames(start: Start): void {
  let server: Started;
  beforeAll(async () => {
    server = await start();
  });

  it('1.5 a binary frame is refused and the connection stays open', async () => {
    const client = await connect(server);
    client.sendText(Buffer.from('{"event":"pusher:ping"}'));
    expect(wire(await client.next())).toEqual({
      event: 'pusher:error',
      data: { code: null, message: 'Binary frames are not supported: send text frames with JSON' },
    });
    expect(await client.drain()).toEqual([]);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '"pusher:ping"',
    '7',
    '{}',
    '{"event":7}',
    '{"event":null}',
    '{"data":{}}',
  ])('1.5 what is no event object is refused and the connection stays open: %s', async (text) => {
    const client = await connect(server);
    client.sendText(text);
    expect(wire(await client.next())).toEqual({
      event: 'pusher:error',
      data: { code: null, message: 'Message is not a JSON object with a string "event"' },
    });
    expect(await client.drain()).toEqual([]);
  });

  it('1.5 JSON nested deeply hurts nobody', async () => {
    const client = await connect(server);
    client.sendText('['.repeat(30_000));
    client.sendText(
      `{"event":"client-x","channel":"private-x","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    );
    expect((await client.next()).event).toBe('pusher:error');
    expect((await client.next()).event).toBe('pusher:error');
    expect(await client.drain()).toEqual([]);
  });

  it('1.5 invalid UTF-8 is closed with 1007', async () => {
    const client = await connect(server);
    client.socket.send(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), { binary: false });
    expect((await client.closed).code).toBe(1007);
  });

  it('1.5 a frame above the cap is closed with 1009, one at the cap is read', async () => {
    const client = await connect(server);
    const empty = JSON.stringify({ event: 'pusher:ping', data: '' }).length;
    client.send({ event: 'pusher:ping', data: 'x'.repeat(65_536 - empty) });
    expect((await client.next()).event).toBe('pusher:pong');
    client.send({ event: 'pusher:ping', data: 'x'.repeat(65_537 - empty) });
    expect((await client.closed).code).toBe(1009);
  });

  it('1.5 compression is off unless configured', async () => {
    const client = await connect(server, { socket: { perMessageDeflate: true } });
    expect(client.socket.extensions).toBe('');
  });

  it('1.5 compressed frames work both ways and their inflated size is bounded', async () => {
    const compressing = await start({ config: { server: { perMessageDeflate: true } } });
    const client = await connect(compressing, { socket: { perMessageDeflate: { threshold: 0 } } });
    expect(client.socket.extensions).toContain('permessage-deflate');
    const channel = room();
    await client.subscribed(channel);
    await compressing.api.trigger(channel, 'big', 'x'.repeat(9000));
    expect((await client.waitFor('big')).data).toBe('x'.repeat(9000));
    client.send({ event: 'pusher:ping', data: 'x'.repeat(1_000_000) });
    expect((await client.closed).code).toBe(1009);
  });

  it.each(['pusher:nonsense', 'pusher_internal:member_added', 'x-client-y', 'Client-x', '', '__proto__'])(
    '1.5 an unknown event is refused and the connection stays open: %s',
    async (event) => {
      const client = await connect(server);
      client.send({ event, data: {}, channel: 'private-x' });
      expect(wire(await client.next())).toEqual({
        event: 'pusher:error',
        data: { code: null, message: `Unsupported event received on socket: ${event}` },
      });
      expect(await client.drain()).toEqual([]);
    },
  );

  it('1.5 a message in several fragments is one message', async () => {
    const client = await connect(server);
    client.socket.send('{"event":', { fin: false });
    client.socket.send('"pusher:ping"}', { fin: true });
    expect((await client.next()).event).toBe('pusher:pong');
  });

  it('1.5 frames of one connection are handled in order, however many', async () => {
    const client = await connect(server);
    const channels = Array.from({ length: 200 }, () => room());
    for (const channel of channels) client.subscribe(channel);
    const succeeded = (await client.drain()).map(({ channel }) => channel);
    expect(succeeded).toEqual(channels);
  });
}
