import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Clock } from '../../lib/flow/clock.ts';
import { TestApi } from '../support/api.ts';
import { closeClients, connect, open } from '../support/client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

afterEach(closeClients);

describe('the example stages, loaded into a running server', () => {
  let server: TestServer;
  let api: TestApi;
  let hour = 12;
  const clock: Clock = { now: () => Date.UTC(2026, 0, 1, hour) };

  beforeAll(async () => {
    server = await startTestServer({ config: { stages: ['examples/stages'] }, start: { clock } });
    api = new TestApi(server);
  });
  afterAll(async () => {
    api.close();
    await server.stop();
  });

  it('are all loaded, and all in the table of examples/README.md', () => {
    const files = readdirSync('examples/stages');
    const readme = readFileSync('examples/README.md', 'utf8');
    expect(server.log.all('stage.loaded')).toHaveLength(files.length);
    for (const file of files) expect(readme).toContain(`\`stages/${file}\``);
  });

  it('mask-card-numbers changes what is published', async () => {
    const client = await connect(server);
    await client.subscribed('orders');
    const event = { name: 'paid', channel: 'orders', data: 'with 4111 1111 1111 1234' };
    await api.post('/events', event, { timestamp: clock.now() / 1000 });
    expect((await client.waitFor('paid')).data).toBe('with **** 1234');
  });

  it('quiet-hours drops client events at night and lets them through by day', async () => {
    const sender = await connect(server);
    const listener = await connect(server);
    for (const client of [sender, listener]) await client.subscribed('private-room');
    hour = 23;
    sender.send({ event: 'client-night', channel: 'private-room', data: 'x' });
    expect(await sender.drain()).toEqual([]);
    hour = 12;
    sender.send({ event: 'client-day', channel: 'private-room', data: 'x' });
    expect((await listener.next()).event).toBe('client-day');
  });

  it('refuse-bots turns a bot away with its code and reason', async () => {
    const bot = await open(server, { query: 'protocol=7&client=spider&version=1' });
    expect((await bot.next()).data).toMatchObject({ code: 4009 });
    expect(await bot.closed).toEqual({ code: 4009, reason: 'Connection refused: no bots, please' });
  });
});
