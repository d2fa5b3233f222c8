import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { closeClients, connect } from '../support/client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({
    config: { server: { activityTimeoutSeconds: 1, pongTimeoutSeconds: 1 } },
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  closeClients();
  await server.stop();
});

it('a flush that is overdue begins while wires end, before they are closed and their connections depart', async () => {
  await connect(server);
  const { edge, parts } = server.running;
  const flushes = jest.spyOn(parts.fanout, 'flushOverdue');
  const [socket] = edge.sockets;
  socket?.terminate();
  expect([flushes.mock.calls.length, parts.connections.size]).toEqual([1, 1]);
  await server.log.waitFor('connection.closed');
  expect(parts.connections.size).toBe(0);
});

it('a client that gave no sign of life has no wire any more when its departure is told', async () => {
  const client = await connect(server);
  client.socket.pause();
  const { edge } = server.running;
  const [socket] = edge.sockets;
  const { cause } = await server.log.waitFor('connection.closed');
  expect([cause, socket?.raw?.destroyed]).toEqual(['pong-timeout', true]);
});
