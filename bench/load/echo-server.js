// The floor: what `ws` itself costs. It sends back what it is sent, and drops peers that answer no ping.
import { createServer } from 'node:http';
import process from 'node:process';
import { WebSocketServer } from 'ws';

const [activityTimeoutMs, pongTimeoutMs] = process.argv.slice(2).map(Number);
const sockets = new Set();

const http = createServer();
const server = new WebSocketServer({ server: http, clientTracking: false, perMessageDeflate: false });

server.on('connection', (socket) => {
  sockets.add(socket);
  socket.lastSeenMs = Date.now();
  socket.on('message', (data, isBinary) => {
    socket.lastSeenMs = Date.now();
    socket.send(data, { binary: isBinary });
  });
  socket.on('pong', () => {
    socket.lastSeenMs = Date.now();
    socket.pingedAtMs = undefined;
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => sockets.delete(socket));
});

setInterval(sweep, Math.min(1_000, Math.max(100, Math.min(activityTimeoutMs, pongTimeoutMs) / 4)));
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => process.send({ port: http.address().port }));
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));

function sweep() {
  const nowMs = Date.now();
  for (const socket of sockets) {
    if (socket.pingedAtMs !== undefined) {
      if (nowMs - socket.pingedAtMs >= pongTimeoutMs) socket.terminate();
    } else if (nowMs - socket.lastSeenMs >= activityTimeoutMs) {
      socket.pingedAtMs = nowMs;
      socket.ping();
    }
  }
}
