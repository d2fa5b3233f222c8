import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import { Edge } from '../../../lib/edge/edge.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import { TestApi } from '../../support/api.ts';
import { closeClients, connect } from '../../support/client.ts';
import { createLateStores } from '../../support/late-stores.ts';
import {
  closeRawSockets,
  connectRaw,
  encodeFrame,
  opcodes,
  openRaw,
  type RawSocket,
  upgradeRequest,
} from '../../support/raw-socket.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

let server: TestServer | undefined;
afterEach(async () => {
  closeClients();
  closeRawSockets();
  await server?.stop();
  server = undefined;
});

const tcpSockets = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;

/** The server has closed its socket, not only ended its side: of the two ends in this process, ours alone is left. */
async function isGone(raw: RawSocket): Promise<void> {
  await raw.ended;
  for (let tries = 0; tries < 100 && tcpSockets() > 1; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(tcpSockets()).toBeLessThanOrEqual(1);
}

describe('requests that are no HTTP', () => {
  it.each([
    ['garbage', 400, 'GARBAGE\r\n\r\n'],
    ['a TLS hello', 400, Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc])],
    ['a header without a colon', 400, 'GET / HTTP/1.1\r\nHost x\r\n\r\n'],
    ['a negative length', 400, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    ['two lengths', 400, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    [
      'a length and chunks',
      400,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['a header flood', 431, `GET / HTTP/1.1\r\nHost: x\r\n${'X-Flood: yes\r\n'.repeat(5_000)}\r\n`],
    ['a header of 20 kB', 431, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'h'.repeat(20_000)}\r\n\r\n`],
    ['a target of 20 kB', 431, `GET /${'t'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ])(
    '%s is answered with %d, and the connection is closed, not half-closed',
    async (_name, status, bytes) => {
      server = await startTestServer();
      const raw = await openRaw(server.port, { allowHalfOpen: true });
      raw.write(bytes);
      expect((await raw.head()).status).toBe(status);
      await isGone(raw);
    },
  );

  it('garbage behind a good request does not take the answer of that request', async () => {
    server = await startTestServer();
    const raw = await openRaw(server.port);
    raw.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n');
    expect(await raw.answer()).toMatchObject({ status: 200, body: '{"status":"live"}' });
    expect((await raw.head()).status).toBe(400);
  });
});

describe('upgrades that are no WebSocket', () => {
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const version = 'Sec-WebSocket-Version: 13\r\n';
  const upgrade = 'Host: x\r\nConnection: Upgrade\r\n';
  it.each([
    ['no key', 400, `GET /app/k HTTP/1.1\r\n${upgrade}Upgrade: websocket\r\n${version}\r\n`],
    [
      'a key of the wrong length',
      400,
      `GET /app/k HTTP/1.1\r\n${upgrade}Upgrade: websocket\r\n${version}Sec-WebSocket-Key: eA==\r\n\r\n`,
    ],
    ['no version', 400, `GET /app/k HTTP/1.1\r\n${upgrade}Upgrade: websocket\r\n${key}\r\n`],
    [
      'an old version',
      400,
      `GET /app/k HTTP/1.1\r\n${upgrade}Upgrade: websocket\r\n${key}Sec-WebSocket-Version: 7\r\n\r\n`,
    ],
    ['another method', 405, `POST /app/k HTTP/1.1\r\n${upgrade}Upgrade: websocket\r\n${key}${version}\r\n`],
    ['another protocol', 400, `GET /app/k HTTP/1.1\r\n${upgrade}Upgrade: h2c\r\n${key}${version}\r\n`],
  ])('%s is answered with %d', async (_name, status, bytes) => {
    server = await startTestServer();
    const raw = await openRaw(server.port, { allowHalfOpen: true });
    raw.write(bytes);
    expect((await raw.head()).status).toBe(status);
    await isGone(raw);
  });

  it('a full server refuses and closes, also a client that keeps its side open', async () => {
    server = await startTestServer({ config: { server: { maxConnections: 1 } } });
    const first = await connect(server);
    const raw = await openRaw(server.port, { allowHalfOpen: true });
    raw.write(upgradeRequest(`/app/${server.key}`));
    expect((await raw.head()).status).toBe(503);
    await raw.ended;
    await first.close();
    await isGone(raw);
  });

  it('garbage right behind the upgrade is closed with 1002', async () => {
    server = await startTestServer();
    const raw = await openRaw(server.port);
    raw.write(`${upgradeRequest(`/app/${server.key}?protocol=7`)}GET / HTTP/1.1\r\n\r\n`);
    expect((await raw.head()).status).toBe(101);
    expect(await raw.closeCode()).toBe(1002);
  });

  it('a frame sent before the handshake is answered is answered after it', async () => {
    server = await startTestServer({ start: { createStores: createLateStores(3, 20) } });
    const raw = await openRaw(server.port);
    const early = encodeFrame(opcodes.text, '{"event":"pusher:subscribe","data":{"channel":"early"}}');
    raw.write(Buffer.concat([Buffer.from(upgradeRequest(`/app/${server.key}?protocol=7`)), early]));
    expect((await raw.head()).status).toBe(101);
    expect(await raw.message()).toMatchObject({ event: 'pusher:connection_established' });
    expect(await raw.message()).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
      channel: 'early',
    });
  });

  it('a frame sent before a refusal is dropped', async () => {
    server = await startTestServer();
    const raw = await openRaw(server.port);
    const early = encodeFrame(opcodes.text, '{"event":"pusher:subscribe","data":{"channel":"early"}}');
    raw.write(Buffer.concat([Buffer.from(upgradeRequest('/app/nobody?protocol=7')), early]));
    expect((await raw.head()).status).toBe(101);
    expect(await raw.message()).toMatchObject({ event: 'pusher:error', data: { code: 4001 } });
    expect(await raw.closeCode()).toBe(4001);
  });
});

describe('ends', () => {
  it('the server ends the wire as soon as its close was answered', async () => {
    server = await startTestServer();
    const raw = await openRaw(server.port, { allowHalfOpen: true });
    raw.write(upgradeRequest('/app/nobody?protocol=7'));
    await raw.head();
    const startedMs = performance.now();
    expect(await raw.closeCode()).toBe(4001);
    raw.frame(opcodes.close, Buffer.from([0x0f, 0xa1]));
    expect(await raw.ended).toBe('end');
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('a client that ends its side without a close frame is gone', async () => {
    server = await startTestServer();
    const { raw } = await connectRaw(server, { allowHalfOpen: true });
    raw.socket.end();
    expect(await server.log.waitFor('connection.closed')).toMatchObject({ cause: 'error', closeCode: 1006 });
    await raw.ended;
    expect(server.running.edge.open).toBe(0);
  });

  it('a client that resets is gone', async () => {
    server = await startTestServer();
    const { raw } = await connectRaw(server);
    raw.reset();
    expect(await server.log.waitFor('connection.closed')).toMatchObject({ cause: 'error', closeCode: 1006 });
    expect(server.running.edge.open).toBe(0);
  });

  it('a client that says nothing and answers no ping is closed with 4201', async () => {
    server = await startTestServer({
      config: { server: { activityTimeoutSeconds: 1, pongTimeoutSeconds: 1 } },
    });
    const { raw } = await connectRaw(server);
    expect(await raw.closeCode()).toBe(4201);
    expect(await server.log.waitFor('connection.closed')).toMatchObject({ cause: 'pong-timeout' });
  });
});

describe('time limits of HTTP', () => {
  const timeouts = { headersMs: 100, requestMs: 200, keepAliveMs: 100, checkEveryMs: 20 };
  let edge: Edge;
  const open = async (): Promise<RawSocket> => {
    const { config } = loadConfig({ env: {}, overrides: { server: { port: 0 } } });
    edge = new Edge({
      config,
      node: { draining: false },
      telemetry: new Telemetry({ level: 'silent' }),
      onRequest: (request, response) => {
        request.resume().on('end', () => response.end('{}'));
      },
      timeouts,
    });
    return openRaw(await edge.listen(), { allowHalfOpen: true });
  };
  afterEach(() => {
    edge.stopListening();
    edge.destroy();
  });

  it.each([
    ['nothing at all', ''],
    ['half a request line', 'GET /li'],
    ['half the headers', 'GET /live HTTP/1.1\r\nHost: x\r\nX-Slow'],
    ['half an upgrade', 'GET /app/x HTTP/1.1\r\nUpgrade: websocket\r\n'],
    ['half a body', 'POST /apps/a/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf'],
  ])('%s is answered with 408 and closed', async (_name, bytes) => {
    const raw = await open();
    raw.write(bytes);
    expect((await raw.head()).status).toBe(408);
    await isGone(raw);
  });

  it('one header byte at a time does not keep a connection open', async () => {
    const raw = await open();
    raw.write('GET /live HTTP/1.1\r\n');
    raw.socket.on('error', () => clearInterval(drip));
    const drip = setInterval(() => raw.write('x'), 10);
    expect((await raw.head()).status).toBe(408);
    clearInterval(drip);
    await isGone(raw);
  });

  it('a connection that is idle between requests is closed', async () => {
    const raw = await open();
    raw.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.head();
    expect(await raw.ended).toBe('end');
  });
});

describe('clients that do not read', () => {
  it('only the one that reads nothing is closed, and its backlog stays below the limit', async () => {
    const maxBufferedBytes = 65_536;
    server = await startTestServer({ config: { delivery: { maxBufferedBytes } } });
    const api = new TestApi(server);
    const reader = await connect(server);
    await reader.subscribed('news');
    const { raw } = await connectRaw(server);
    raw.send({ event: 'pusher:subscribe', data: { channel: 'news' } });
    await raw.message();
    raw.socket.pause();

    const [connection] = [...server.running.parts.connections.all()].slice(-1);
    const closed = server.log.waitFor('connection.closed');
    const isClosed = closed.then(() => true);
    let most = 0;
    let sent = 0;
    while (
      !(await Promise.race([isClosed, api.trigger('news', 'e', 'x'.repeat(10_000)).then(() => false)]))
    ) {
      sent++;
      most = Math.max(most, connection?.transport.queuedBytes ?? 0);
    }
    expect(await closed).toMatchObject({ cause: 'slow', closeCode: 4100 });
    expect(most).toBeLessThan(maxBufferedBytes + 11_000);
    for (let heard = 0; heard < sent; heard++) expect((await reader.next()).event).toBe('e');
    api.close();
  });

  it('pings without end that nobody reads the answers of do not fill memory', async () => {
    server = await startTestServer();
    const { raw } = await connectRaw(server);
    raw.socket.pause();
    const pings = Buffer.concat(
      Array.from({ length: 1_000 }, () => encodeFrame(opcodes.ping, 'p'.repeat(125))),
    );
    const closed = server.log.waitFor('connection.closed').then(() => true);
    let sent = 0;
    for (; sent < 1_000; sent++) {
      const next = raw.socket.write(pings)
        ? Promise.resolve(false)
        : once(raw.socket, 'drain').then(() => false);
      if (await Promise.race([closed, next.catch(() => false)])) break;
    }
    expect(sent).toBeLessThan(1_000);
    expect(await server.log.waitFor('connection.closed')).toMatchObject({ closeCode: 1006 });
  });

  it('pings one after the other are all answered', async () => {
    server = await startTestServer();
    const { raw } = await connectRaw(server);
    for (let i = 0; i < 1_000; i++) {
      raw.frame(opcodes.ping, String(i));
      expect((await raw.frameOf(opcodes.pong)).payload.toString()).toBe(String(i));
    }
  });
});

describe('more frames than the stores keep up with', () => {
  it('the socket is paused; nothing is lost and the order is kept', async () => {
    const maxWaitingFrames = 64;
    server = await startTestServer({ start: { createStores: createLateStores(5, 4) } });
    const { raw } = await connectRaw(server);
    const neighbour = await connect(server);
    const count = 300;
    // One write each: what is read at once cannot be given back, so the cap is the cap plus one read.
    for (let i = 0; i < count; i++) {
      raw.send({ event: 'pusher:subscribe', data: { channel: `room-${i}` } });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const heard: string[] = [];
    while (heard.length < count) {
      const { event, channel } = (await raw.message()) as { event: string; channel: string };
      if (event === 'pusher_internal:subscription_succeeded') heard.push(channel);
    }
    expect(heard).toEqual(Array.from({ length: count }, (_, i) => `room-${i}`));
    const paused = server.log.all('connection.paused');
    expect(paused.length).toBeGreaterThan(0);
    expect(paused.every(({ waiting }) => waiting === maxWaitingFrames)).toBe(true);
    expect(server.log.all('connection.resumed').length).toBe(paused.length);
    expect(await neighbour.subscribed('neighbour')).toEqual({});
  });
});
