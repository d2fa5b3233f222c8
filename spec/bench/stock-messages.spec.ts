import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocketServer } from 'ws';
import {
  clientEvent,
  clientEventOf,
  clientPath,
  places,
  signedPublish,
  subscribeMessage,
} from '../../bench/support/client-messages.ts';
import { publishRequests } from '../../bench/support/http-requests.ts';
import { nativeProgram } from '../../bench/support/native.ts';
import { NativeLoad } from '../../bench/support/native-load.ts';
import { app } from '../../bench/support/servers.ts';
import { createSdk, PusherClient, transportOptions } from '../support/stock-clients.ts';

const channel = 'private-bench';
const socketId = '12.34';
const auth = `${app.key}:${createHmac('sha256', app.secret).update(`${socketId}:${channel}`).digest('hex')}`;
const data = { id: '00000000', items: [{ sku: 'A-1', count: 2 }] };

/** What is said to it, and where it was called: enough of a server for a client to subscribe and publish. */
class Listener {
  readonly texts: string[] = [];
  readonly paths: (string | undefined)[] = [];
  /** Client events go to the other clients. */
  passesOn = false;
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  #wake: () => void = () => undefined;

  constructor() {
    this.#server.on('connection', (socket, request: IncomingMessage) => {
      const send = (event: string, sent: object): void =>
        socket.send(JSON.stringify({ event, channel, data: JSON.stringify(sent) }));
      this.paths.push(request.url);
      send('pusher:connection_established', { socket_id: socketId, activity_timeout: 120 });
      socket.on('message', (bytes: Buffer) => {
        const text = bytes.toString();
        this.texts.push(text);
        if (text.includes('"pusher:subscribe"')) send('pusher_internal:subscription_succeeded', {});
        if (this.passesOn && text.includes('"client-bench"'))
          for (const other of this.#server.clients) if (other !== socket) other.send(text);
        this.#wake();
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listening(): Promise<void> {
    if (this.#server.address() === null) await once(this.#server, 'listening');
  }

  async until(count: number): Promise<void> {
    while (this.texts.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((done) => this.#server.close(done));
  }
}

let listener: Listener;

beforeEach(async () => {
  listener = new Listener();
  await listener.listening();
});

afterEach(() => listener.close());

const filled = (text: string): string =>
  text.replace(places.auth, auth).replace(places.channel, channel).replace(places.number, '00000000');

describe('the benchmark says what stock clients say, byte for byte:', () => {
  test('pusher-js, its path, its subscription and a client event with an object', async () => {
    const pusher = new PusherClient(app.key, {
      ...transportOptions(listener.port),
      channelAuthorization: {
        transport: 'ajax',
        endpoint: '',
        customHandler: (_, answer) => answer(null, { auth }),
      },
    });
    const subscribed = pusher.subscribe(channel);
    subscribed.bind('pusher:subscription_succeeded', () => subscribed.trigger('client-bench', data));
    await listener.until(2);
    pusher.disconnect();

    expect(listener.texts).toEqual([filled(subscribeMessage(channel)), filled(clientEvent(data))]);
    expect(listener.paths).toEqual([clientPath(app.key)]);
  });

  test('pusher-js, a public channel', async () => {
    const pusher = new PusherClient(app.key, transportOptions(listener.port));
    pusher.subscribe('bench');
    await listener.until(1);
    pusher.disconnect();
    expect(listener.texts).toEqual([subscribeMessage('bench').replace(places.channel, 'bench')]);
  });

  test('the server SDK, a publish with its headers and its signature', async () => {
    const requests: { readonly url: string; readonly headers: readonly string[]; readonly body: string }[] =
      [];
    const api = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        requests.push({ url: request.url ?? '', headers: request.rawHeaders, body });
        response.end('{}');
      });
    });
    await new Promise<void>((done) => api.listen(0, '127.0.0.1', done));
    const { port } = api.address() as AddressInfo;
    await createSdk({ port, appId: app.id, key: app.key, secret: app.secret }).trigger(
      'bench',
      'bench',
      data,
    );
    await new Promise((done) => api.close(done));

    const { url, headers, body } = requests[0]!;
    const timestampS = Number(/auth_timestamp=(\d+)/.exec(url)?.[1]);
    expect({ path: url, body }).toEqual(signedPublish(app, 'bench', data, timestampS));
    const ours = publishRequests(app, 'bench', port);
    const [, ...ourHeaders] = (ours.toString('latin1', 4).split('\r\n\r\n')[0] ?? '').split('\r\n');
    const lines = headers.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : [],
    );
    // The data differs, and so does its length.
    const withoutLength = (line: string): string => line.replace(/(?<=^Content-Length: )\d+$/, '');
    expect(ourHeaders.map(withoutLength)).toEqual(lines.map(withoutLength));
  });
});

test.each([200, 2048])('a client event of %d bytes is about as long', (bytes) => {
  const text = clientEventOf(bytes, channel.length).replace(places.channel, channel);
  expect(Math.abs(text.length - bytes)).toBeLessThan(60);
  expect(() => JSON.parse(text) as unknown).not.toThrow();
});

/** What is in the way of the native load here: a machine without a compiler, or without epoll, runs no benchmark. */
function obstacle(): string | undefined {
  try {
    nativeProgram('probe', ['bench/peers/raw.c']);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const cannotLoad = obstacle();

if (cannotLoad === undefined) {
  test('the native load says the same, with a number in each message', async () => {
    const load = new NativeLoad();
    try {
      await load.open({ port: listener.port, count: 1, channel, role: 'receiver' });
      await load.open({ port: listener.port, count: 1, channel, role: 'sender' });
      const text = clientEventOf(300, channel.length);
      await load.publish({ text, window: 2 });
      await listener.until(4);
      const numbered = (number: string): string => filled(text.replace(places.number, number));
      const subscription = filled(subscribeMessage(channel));
      expect(listener.texts).toEqual([
        subscription,
        subscription,
        numbered('00000000'),
        numbered('00000001'),
      ]);
      expect(listener.paths).toEqual([clientPath(app.key), clientPath(app.key)]);
      expect(await load.count()).toMatchObject({ sent: 2, delivered: 0, strange: 0, closed: 0 });
    } finally {
      await load.kill();
    }
  });

  test('the native load sends the next events when the last ones have arrived', async () => {
    listener.passesOn = true;
    const load = new NativeLoad();
    try {
      await load.open({ port: listener.port, count: 3, channel, role: 'receiver' });
      await load.open({ port: listener.port, count: 1, channel, role: 'sender' });
      await load.publish({ text: clientEventOf(300, channel.length), window: 2 });
      const subscriptions = 4;
      await listener.until(subscriptions + 6);
      expect(await load.stop()).toEqual({ missing: 0, failed: 0 });
      const { sent, delivered, strange, closed } = await load.count();
      expect({ delivered, strange, closed }).toEqual({ delivered: sent * 3, strange: 0, closed: 0 });
      expect(sent % 2).toBe(0);
    } finally {
      await load.kill();
    }
  });
} else {
  test('the native load says why it cannot run', () => {
    expect(cannotLoad).toMatch(/compiler|compiled/);
  });
}
