import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RawObject } from '../../../config/raw.ts';
import { partitionOf } from '../../../lib/cluster/partition.ts';
import { closeClients, connect } from '../../support/client.ts';
import { readMetrics } from '../../support/gauges.ts';
import { ok, type Receiver, startReceiver } from '../../support/receiver.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type Relay, startRelay } from '../../support/relay.ts';
import { startTestServer, testApp, type TestServer } from '../../support/server.ts';

let redis: RedisServer;
let relay: Relay;
let receiver: Receiver;
let servers: TestServer[] = [];
let prefixes = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  prefixes++;
  [relay, receiver] = await Promise.all([startRelay(redis.port), startReceiver(testApp)]);
});
afterEach(async () => {
  closeClients();
  relay.heal();
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
  await Promise.all([relay.stop(), receiver.stop()]);
});

async function start(settings: RawObject = {}): Promise<TestServer> {
  const server = await startTestServer({
    config: {
      redis: { url: `redis://127.0.0.1:${relay.port}`, keyPrefix: `webhook-nodes-${prefixes}:` },
      cluster: { partitions: 4 },
      apps: [{ ...testApp, webhooks: [{ id: 'hook', url: receiver.url }] }],
      webhooks: { batchWindowMs: 10, graceMs: 60_000 },
      ...settings,
    },
  });
  servers.push(server);
  return server;
}

describe('the last node', () => {
  it('tells its endpoints all that ended with it before it stops', async () => {
    const server = await start();
    const client = await connect(server);
    const rooms = Array.from({ length: 20 }, (_, n) => `room-${n}`);
    for (const room of rooms) await client.subscribed(room);
    await receiver.journal.until(({ events }) => events.length === rooms.length);
    await server.stop();
    expect(receiver.journal.told().filter((name) => name === 'channel_vacated').length).toBe(rooms.length);
  });
});

describe('a node that stops', () => {
  it('leaves its recorded batches to the other, which sends them at once', async () => {
    const first = await start();
    const client = await connect(first);
    const rooms = Array.from({ length: 12 }, (_, n) => `room-${n}`);
    await receiver.behave({ kind: 'status', status: 503 });
    for (const room of rooms) await client.subscribed(room);
    const recorded = new Set(rooms.map((room) => partitionOf('app-1', room, 4))).size;
    await receiver.journal.until(
      ({ attempts }) => new Set(attempts.map((one) => one.webhookId)).size === recorded,
    );
    const sent = new Map(
      receiver.journal.attempts.map(({ webhookId, body }) => [webhookId, body.toString()]),
    );
    await start();
    await first.stop();
    await receiver.behave(ok);
    const stoppedAtMs = Date.now();
    await receiver.journal.until(({ events }) => events.length >= rooms.length);
    expect(Date.now() - stoppedAtMs).toBeLessThan(5_000);
    const taken = new Map(receiver.journal.taken.map(({ webhookId, body }) => [webhookId, body.toString()]));
    for (const [id, body] of sent) expect(taken.get(id)).toBe(body);
  });

  it('stops in time when Redis is away', async () => {
    const server = await start({ drain: { deadlineMs: 3_000 } });
    const client = await connect(server);
    await client.subscribed('room');
    relay.freeze();
    const beganAtMs = Date.now();
    await server.stop();
    expect(Date.now() - beganAtMs).toBeLessThan(4_000);
  });
});

describe('operators, while Redis is away', () => {
  const ask = async (server: TestServer, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.adminPort}${path}`);
    return { status: answer.status, json: (await answer.json()) as object };
  };

  it('are told so, and find everything else in the metrics', async () => {
    const server = await start();
    const before = await readMetrics(server.adminPort);
    relay.cut();
    await server.log.waitFor('redis.lost');
    const { text } = await readMetrics(server.adminPort);
    expect([
      before.text.includes('spillway_webhook_backlog_events{'),
      text.includes('spillway_sockets '),
    ]).toEqual([true, true]);
    for (const path of ['/webhooks', '/webhooks/events?app=app-1', '/webhooks/events/x?app=app-1']) {
      expect(await ask(server, path)).toMatchObject({ status: 503, json: { code: 'redis.away' } });
    }
  });
});

describe('metrics of webhooks', () => {
  it('ask each partition once in a while, however many they are', async () => {
    const server = await start();
    const { outbox } = server.running.parts;
    const backlogs = jest.spyOn(outbox, 'backlogs');
    await readMetrics(server.adminPort);
    await readMetrics(server.adminPort);
    expect(backlogs).toHaveBeenCalledTimes(1);
  });
});
