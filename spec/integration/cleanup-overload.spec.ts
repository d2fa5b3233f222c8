import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { closeClients, connect, type TestClient } from '../support/client.ts';
import { occupied, pollMetrics, type Readings } from '../support/gauges.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const count = 1_000;
const reasons = 'spillway_cleanup_fallback_total';

describe('1000 sockets that drop while the cleanup queue has room for one', () => {
  let server: TestServer;
  let socketIds: readonly string[];
  let before: Readings;
  let after: Readings;

  beforeAll(async () => {
    server = await startTestServer({
      config: { cleanup: { queueCapacity: 1, batchWindowMs: 500 } },
      app: { presence: { maxMembers: 0 } },
    });
    const clients = await crowd(server);
    socketIds = clients.map(({ socketId }) => socketId);
    before = await pollMetrics(
      server.adminPort,
      (readings) => readings.value('spillway_subscriptions') === 2 * count,
    );
    for (const { socket } of clients) socket.terminate();
    const closed = new Set(socketIds);
    await Promise.all(
      [...closed].map((id) => server.log.waitFor('connection.closed', ({ socketId }) => socketId === id)),
    );
    after = await pollMetrics(server.adminPort, (readings) => Object.keys(occupied(readings)).length === 0);
  });
  afterEach(closeClients);
  afterAll(() => server.stop());

  test('were all there before', () => {
    expect([before.value('spillway_connections'), before.value('spillway_channels')]).toEqual([count, 2]);
  });

  test('leave nothing in any map', () => {
    const { parts } = server.running;
    expect([occupied(after), parts.membership.channels(server.appId, '')]).toEqual([{}, []]);
  });

  test('are told once each', () => {
    const told = server.log.all('connection.closed').map(({ socketId }) => socketId);
    expect([...told].sort()).toEqual([...socketIds].sort());
  });

  test('are counted by why they were settled alone, and in batches: together they are all', () => {
    const alone = after.byLabel(reasons, 'reason');
    expect([...alone.keys()].sort()).toEqual(['breaker-open', 'queue-full']);
    const batches = server.log.all('cleanup.flushed').map(({ batchSize }) => batchSize);
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(count);
    expect(after.value(reasons)).toBeLessThan(count);
    expect(after.value('spillway_cleanup_batch_size_count')).toBe(batches.length);
  });

  test('vacate each channel once', () => {
    const vacated = server.log.all('channel.vacated').map(({ channel }) => channel);
    expect(vacated.sort()).toEqual(['presence-crowd', 'room']);
  });

  test('open the breaker of the queue, which a gauge shows', () => {
    expect([server.log.all('cleanup.breaker-opened').length, after.value('spillway_stage_breaker')]).toEqual([
      1, 1,
    ]);
  });
});

/** Clients of one plain and one presence channel. */
async function crowd(server: TestServer): Promise<readonly TestClient[]> {
  const clients: TestClient[] = [];
  for (let i = 0; i < count; i += 100) {
    const some = await Promise.all(Array.from({ length: 100 }, () => connect(server)));
    for (const [j, client] of some.entries()) {
      client.subscribe('room');
      client.subscribe('presence-crowd', { user_id: `user-${i + j}` });
    }
    clients.push(...some);
  }
  return clients;
}
