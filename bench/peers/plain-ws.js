// What one gets in an afternoon: `ws`, a Map of channels, and one JSON.stringify for every recipient. It speaks as much
// of the protocol as the load needs: it greets, subscribes without asking who may, and passes client events on.
import { createServer } from 'node:http';
import process from 'node:process';
import { WebSocketServer } from 'ws';

const channels = new Map();
let nextId = 1;

const http = createServer();
const server = new WebSocketServer({ server: http, clientTracking: false, perMessageDeflate: false });

server.on('connection', (socket) => {
  const id = `1.${nextId++}`;
  const joined = new Set();
  send(socket, 'pusher:connection_established', undefined, { socket_id: id, activity_timeout: 120 });
  socket.on('message', (bytes) => received(socket, joined, JSON.parse(bytes.toString())));
  socket.on('error', () => socket.terminate());
  socket.on('close', () => joined.forEach((channel) => leave(socket, channel)));
});

function received(socket, joined, { event, channel, data }) {
  if (event === 'pusher:ping') send(socket, 'pusher:pong', undefined, {});
  else if (event === 'pusher:subscribe') {
    joined.add(data.channel);
    join(socket, data.channel);
    send(socket, 'pusher_internal:subscription_succeeded', data.channel, {});
  } else if (event.startsWith('client-') && joined.has(channel)) publish(socket, event, channel, data);
}

function join(socket, channel) {
  const members = channels.get(channel);
  if (members === undefined) channels.set(channel, new Set([socket]));
  else members.add(socket);
}

function leave(socket, channel) {
  const members = channels.get(channel);
  members?.delete(socket);
  if (members?.size === 0) channels.delete(channel);
}

function publish(sender, event, channel, data) {
  for (const socket of channels.get(channel)) if (socket !== sender) send(socket, event, channel, data);
}

/** Data leaves as a string, as the protocol has it. */
function send(socket, event, channel, data) {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  socket.send(JSON.stringify({ event, channel, data: text }));
}

http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => process.send({ port: http.address().port }));
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
