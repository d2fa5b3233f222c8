import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { TestApi } from '../support/api.ts';
import { closeClients, connect } from '../support/client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
afterEach(async () => {
  closeClients();
  await server.stop();
});

/** A socket that offers compression, subscribed to `news`; `next` answers the following message. */
async function subscriber() {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/app/${server.key}?protocol=7`, {
    perMessageDeflate: true,
  });
  const messages: string[] = [];
  let wake = (): void => undefined;
  socket.on('message', (data: Buffer) => {
    messages.push(data.toString());
    wake();
  });
  const next = async (): Promise<string> => {
    while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return messages.shift() ?? '';
  };
  await next();
  socket.send('{"event":"pusher:subscribe","data":{"channel":"news"}}');
  await next();
  return { socket, next };
}

describe('a client that offers compression', () => {
  it('gets plain frames by default', async () => {
    server = await startTestServer();
    const { socket } = await subscriber();
    expect(socket.extensions).toBe('');
    socket.terminate();
  });

  it('gets every event whole and in order when it is switched on, beside one that does not offer it', async () => {
    server = await startTestServer({ config: { server: { perMessageDeflate: true } } });
    const plain = await connect(server);
    await plain.subscribed('news');
    const { socket, next } = await subscriber();
    expect(socket.extensions).toContain('permessage-deflate');
    const api = new TestApi(server);
    const texts = ['short', 'x'.repeat(200), 'y'.repeat(10_000)];
    const batch = texts.map((data, index) => ({ name: `e${index}`, channel: 'news', data }));
    await api.post('/batch_events', { batch });
    for (const data of texts) {
      expect(JSON.parse(await next())).toMatchObject({ data });
      expect((await plain.next()).data).toBe(data);
    }
    api.close();
    socket.terminate();
  });
});
