// Opens WebSockets by hand, in a process of its own: node crowd.js PORT KEY SECRET. Each socket
// answers pings until its end. On stdin it is told how many to open and how to end a third of them; on stdout it says when
// that is done.
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';

const [port, key, secret] = process.argv.slice(2);
/** Sockets by the way they are going to end. */
const crowd = { close: [], reset: [], silent: [] };
const ways = Object.keys(crowd);

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [verb, argument] = line.split(' ');
  if (verb === 'open') await openAll(Number(argument));
  if (verb === 'close') await endAll(crowd.close, (socket) => socket.write(frame(8, Buffer.from([3, 232]))));
  if (verb === 'reset') await endAll(crowd.reset, (socket) => socket.resetAndDestroy());
  if (verb === 'silent') await endAll(crowd.silent, () => undefined);
  if (verb === 'exit') process.exit(0);
  process.stdout.write(`${verb}\n`);
});

async function openAll(count) {
  await Promise.all(Array.from({ length: count }, (_, index) => join(index)));
}

/** Connects, subscribes to two channels, some as a signed-in user, and waits for every answer. */
function join(index) {
  const socket = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true });
  const expected = ['succeeded","channel":"crowd-', 'succeeded","channel":"presence-'];
  if (signsIn(index)) expected.push('"pusher:signin_success"');
  let text = '';
  let isGreeted = false;
  socket.answersPings = true;
  socket.on('connect', () => socket.write(upgrade));
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      // Text frames are ASCII here, so these two bytes are a ping frame and nothing else.
      if (text.includes('\x89\x00') && socket.answersPings) socket.write(frame(10, Buffer.alloc(0)));
      const socketId = isGreeted ? undefined : /"socket_id\\":\\"([\d.]+)/.exec(text)?.[1];
      if (socketId !== undefined) {
        isGreeted = true;
        for (const message of messages(index, socketId)) {
          socket.write(frame(1, Buffer.from(JSON.stringify(message))));
        }
      }
      if (socket.hasJoined) text = text.slice(-1);
      else if (expected.every((part) => text.includes(part))) {
        socket.hasJoined = true;
        crowd[ways[index % ways.length]].push(socket);
        resolve();
      }
    });
  });
}

function signsIn(index) {
  return index % 4 === 0;
}

function messages(index, socketId) {
  const sign = (text) => `${key}:${createHmac('sha256', secret).update(`${socketId}${text}`).digest('hex')}`;
  const presence = `presence-${index % 300}`;
  const data = JSON.stringify({ user_id: `member-${index % 60}` });
  const user = JSON.stringify({ id: `user-${index % 1000}`, watchlist: ['user-4', 'user-8'] });
  const all = [
    { event: 'pusher:subscribe', data: { channel: `crowd-${index % 500}` } },
    {
      event: 'pusher:subscribe',
      data: { channel: presence, channel_data: data, auth: sign(`:${presence}:${data}`) },
    },
  ];
  if (signsIn(index))
    all.push({ event: 'pusher:signin', data: { user_data: user, auth: sign(`::user::${user}`) } });
  return all;
}

/** Ends these sockets in their way, and waits until the server has ended its side of each. */
async function endAll(sockets, end) {
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.once('end', () => socket.destroy());
          socket.once('close', resolve);
          socket.answersPings = false;
          end(socket);
        }),
    ),
  );
}

function frame(opcode, payload) {
  const mask = Buffer.from([1, 2, 3, 4]);
  const long = payload.length > 125;
  const header = long
    ? Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255])
    : Buffer.from([0x80 | opcode, 0x80 | payload.length]);
  return Buffer.concat([header, mask, payload.map((byte, at) => byte ^ mask[at % 4])]);
}

const upgrade = [
  `GET /app/${key}?protocol=7 HTTP/1.1`,
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');
