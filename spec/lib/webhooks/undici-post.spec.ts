import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createPost, type Post, type PostOptions } from '../../../lib/webhooks/undici-post.ts';
import { toBody } from '../../../lib/webhooks/payload.ts';
import { signedHeaders } from '../../../lib/webhooks/signer.ts';
import { ownApp } from '../../config/config-files.ts';
import { type Receiver, startReceiver } from '../../support/receiver.ts';
import { endpointFor } from './endpoint-for.ts';

const defaults = {
  timeoutMs: 4_000,
  allowPrivateNetworks: true,
  userAgent: 'Spillway/1.2.3',
};
const batch = { id: 'msg_1', body: toBody(1, [{ name: 'channel_occupied', channel: 'c', id: 'e-1' }]) };

let posts: Post[];
let servers: Server[];
let sockets: Set<Socket>;

beforeEach(() => {
  posts = [];
  servers = [];
  sockets = new Set();
});
afterEach(async () => {
  await Promise.all(posts.map((post) => post.close()));
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

function poster(options: Partial<PostOptions> = {}): Post {
  const post = createPost({ ...defaults, ...options });
  posts.push(post);
  return post;
}

function send(url: string, options: Partial<PostOptions> = {}, headers: Record<string, string> = {}) {
  return sendWith(poster(options), url, headers);
}

function sendWith({ post }: Post, url: string, headers: Record<string, string> = {}) {
  const endpoint = endpointFor(url);
  return post(endpoint, { ...signedHeaders(endpoint, batch, Date.now()), ...headers }, batch.body);
}

/** Listens on a free port; the answer is its URL. */
async function listen(server: Server, host = '127.0.0.1'): Promise<string> {
  servers.push(server);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

const answering = (listener: RequestListener, host?: string) =>
  listen(
    createServer((request, response) => {
      request.resume().on('end', () => listener(request, response));
    }),
    host,
  );

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
}

describe('a post', () => {
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await startReceiver(ownApp);
  });
  afterEach(() => receiver.stop());

  test('brings body and headers as they were signed, and the name of the server', async () => {
    await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status: 200 });
    const [attempt] = receiver.journal.attempts;
    expect(attempt?.objections).toEqual([]);
    expect(attempt?.body).toEqual(batch.body);
    expect(attempt?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'Spillway/1.2.3',
      host: new URL(receiver.url).host,
    });
    expect(attempt?.headers).not.toHaveProperty('transfer-encoding');
  });

  test('asks for path and query of the URL', async () => {
    const asked: (string | undefined)[] = [];
    const url = await answering(({ url: path }, response) => {
      asked.push(path);
      response.end();
    });
    await send(`${url}a/b%20c?d=e&f#g`);
    expect(asked).toEqual(['/a/b%20c?d=e&f']);
  });

  test.each([204, 304, 400, 404, 410, 429, 500, 503])('answers with the status: %i', async (status) => {
    await receiver.behave({ kind: 'status', status });
    await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status });
  });

  test('does not follow a redirect', async () => {
    await receiver.behave({ kind: 'redirect' });
    await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status: 302 });
    expect(receiver.strays).toEqual([]);
    expect(receiver.journal.attempts).toHaveLength(1);
  });

  test('says what is wrong when nobody listens', async () => {
    await receiver.behave({ kind: 'refuse' });
    await expect(send(receiver.url)).resolves.toEqual({
      kind: 'failed',
      reason: 'connection refused: nothing listens at this address and port (ECONNREFUSED)',
    });
  });

  test.each(['reset', 'die'] as const)(
    'fails once, and does not try again, when the connection is lost: %s',
    async (kind) => {
      await receiver.behave({ kind });
      const result = await send(receiver.url);
      expect(result).toMatchObject({
        kind: 'failed',
        reason: expect.stringMatching(/before an answer came/),
      });
      expect(receiver.journal.attempts).toHaveLength(1);
    },
  );

  test('gives up when there is no answer in time', async () => {
    await receiver.behave({ kind: 'hang' });
    const startMs = performance.now();
    await expect(send(receiver.url, { timeoutMs: 150 })).resolves.toEqual({
      kind: 'failed',
      reason: 'no answer within 150 ms',
    });
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test('reads next to nothing of a gigabyte, and drops the connection', async () => {
    await receiver.behave({ kind: 'huge' });
    await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status: 200 });
    expect(receiver.hugeBytesSent).toBeLessThan(20_000_000);
  });

  test('reads next to nothing of an answer that does not say how long it is', async () => {
    let bytesSent = 0;
    const url = await answering((_request, response) => {
      const chunk = Buffer.alloc(65_536, 'x');
      const more = (): void => {
        while (!response.destroyed && bytesSent < 1_000_000_000) {
          bytesSent += chunk.length;
          if (!response.write(chunk)) return;
        }
        response.end();
      };
      response.on('drain', more);
      more();
    });
    await expect(send(url)).resolves.toEqual({ kind: 'answered', status: 200 });
    await Promise.all([...sockets].map(closed));
    expect(bytesSent).toBeLessThan(20_000_000);
  });

  test('takes no proxy from the environment', async () => {
    const { env } = process;
    process.env = {
      ...env,
      HTTP_PROXY: 'http://127.0.0.1:9',
      http_proxy: 'http://127.0.0.1:9',
      NODE_USE_ENV_PROXY: '1',
    };
    const result = await send(receiver.url).finally(() => {
      process.env = env;
    });
    expect(result).toEqual({ kind: 'answered', status: 200 });
  });

  test('hears how long to wait, in seconds or up to a date, and not for more than a minute', async () => {
    const inOneHour = new Date(Date.now() + 3_600_000).toUTCString();
    const answers: Readonly<Record<string, unknown>> = {
      2: 2_000,
      0: 0,
      86400: 60_000,
      [inOneHour]: 60_000,
      'Thu, 01 Jan 1970 00:00:00 GMT': 0,
    };
    for (const [header, retryAfterMs] of Object.entries(answers)) {
      await receiver.behave({ kind: 'status', status: 503, headers: { 'retry-after': header } });
      await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status: 503, retryAfterMs });
    }
    await receiver.behave({ kind: 'status', status: 503, headers: { 'retry-after': 'soon' } });
    await expect(send(receiver.url)).resolves.toEqual({ kind: 'answered', status: 503 });
  });

  test('fails, and does not throw, for a header that cannot be sent', async () => {
    await expect(send(receiver.url, {}, { 'x-tenant': 'a\r\nb' })).resolves.toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/invalid x-tenant header/),
    });
  });
});

describe('a post to an endpoint that never ends its answer', () => {
  const hanging: RequestListener = (_request, response) => {
    response.writeHead(200).write('x');
  };

  test('is a success by its status, and the connection is dropped', async () => {
    const url = await answering(hanging);
    await expect(send(url)).resolves.toEqual({ kind: 'answered', status: 200 });
    await Promise.all([...sockets].map(closed));
  });

  test('is a success when the time is over first', async () => {
    const url = await answering(hanging);
    const startMs = performance.now();
    await expect(send(url, { timeoutMs: 200 })).resolves.toEqual({ kind: 'answered', status: 200 });
    expect(performance.now() - startMs).toBeLessThan(900);
  });

  test('fails when not even the headers end', async () => {
    const url = await listen(
      createTcpServer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
      }),
    );
    await expect(send(url, { timeoutMs: 150 })).resolves.toEqual({
      kind: 'failed',
      reason: 'no answer within 150 ms',
    });
  });
});

describe('the connections of a post', () => {
  test('are kept for the next one', async () => {
    const url = await answering((_request, response) => response.end('thank you'));
    const post = poster();
    for (let i = 0; i < 20; i++) await sendWith(post, url);
    expect(sockets.size).toBeLessThanOrEqual(2);
  });

  test('of an endpoint that hangs keep none from another app’s endpoint at the same host', async () => {
    const held: ServerResponse[] = [];
    const url = await answering((request, response) => {
      if (request.url !== '/dead') response.end();
      else held.push(response);
    });
    const post = poster({ timeoutMs: 60_000 });
    const dead = Array.from({ length: 100 }, () => sendWith(post, `${url}dead`));
    await expect(sendWith(post, `${url}well`)).resolves.toEqual({ kind: 'answered', status: 200 });
    await post.close();
    await Promise.all(dead);
  });

  test('count towards the time that a request has', async () => {
    const never = jest.fn();
    const startMs = performance.now();
    await expect(send('http://hooks.example/', { timeoutMs: 150, lookup: never })).resolves.toEqual({
      kind: 'failed',
      reason: 'no answer within 150 ms',
    });
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(never).toHaveBeenCalled();
  });

  test('may be over IPv6', async () => {
    const url = await answering((_request, response) => response.end(), '::1');
    await expect(send(url)).resolves.toEqual({ kind: 'answered', status: 200 });
  });

  test('end with it, and what is under way fails', async () => {
    let arrived = (): void => undefined;
    const here = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const url = await answering(() => arrived());
    const post = poster();
    const result = sendWith(post, url);
    await here;
    const open = [...sockets];
    await post.close();
    await expect(result).resolves.toEqual({
      kind: 'failed',
      reason: 'the server is stopping (UND_ERR_DESTROYED)',
    });
    await Promise.all(open.map(closed));
    await expect(sendWith(post, url)).resolves.toMatchObject({ kind: 'failed' });
  });
});

describe('a post that may not go to private networks', () => {
  let arrivals: number;
  let url: string;

  beforeEach(async () => {
    arrivals = 0;
    url = await answering((_request, response) => {
      arrivals++;
      response.end();
    });
  });
  const inside = { allowPrivateNetworks: false };

  test('does not connect to a private address', async () => {
    await expect(send(url, inside)).resolves.toEqual({
      kind: 'failed',
      reason: '127.0.0.1 is not a public address, and webhooks.allowPrivateNetworks is false',
    });
    expect(arrivals).toBe(0);
  });

  test('does not connect to a name of a private address', async () => {
    const { port } = new URL(url);
    await expect(send(`http://localhost:${port}/`, inside)).resolves.toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(
        /^localhost resolves to (127\.0\.0\.1|::1), which is not a public address/,
      ),
    });
    expect(sockets.size).toBe(0);
  });

  test('looks at the addresses of each connection, so that no answer of DNS opens a way in', async () => {
    const lookup = jest.fn<NonNullable<PostOptions['lookup']>>((_name, { all }, callback) => {
      if (all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    });
    const { port } = new URL(url);
    const rebound = `http://hooks.example:${port}/`;
    await expect(send(rebound, { lookup })).resolves.toEqual({ kind: 'answered', status: 200 });
    await expect(send(rebound, { ...inside, lookup })).resolves.toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^hooks\.example resolves to 127\.0\.0\.1, which is not/),
    });
    expect(lookup).toHaveBeenCalledTimes(2);
    expect(arrivals).toBe(1);
  });
});

describe('a post to what is no webhook endpoint', () => {
  test('says so when it does not speak HTTP', async () => {
    const url = await listen(createTcpServer((socket) => socket.end('220 mail.example ESMTP\r\n')));
    await expect(send(url)).resolves.toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/its answer is not HTTP/),
    });
  });

  test('says so when it does not speak TLS', async () => {
    const url = await answering((_request, response) => response.end());
    await expect(send(url.replace('http:', 'https:'))).resolves.toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^no TLS at this port/),
    });
  });

  test('says so when its name is unknown', async () => {
    const lookup: NonNullable<PostOptions['lookup']> = (name, _options, callback) =>
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), '');
    await expect(send('http://hooks.example/', { lookup })).resolves.toEqual({
      kind: 'failed',
      reason: 'its name is not known to DNS: check the host of the URL (ENOTFOUND)',
    });
  });
});
