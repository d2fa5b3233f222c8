// Subscribers of one presence channel that stay, and count what they are told about the others.
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { FrameReader, pongFrame, textFrame, upgradeRequest } from './frames.js';
import { serve } from './worker.js';

/** For each observer: users by how often they were added and removed. */
let observers = [];
let reads = 0;
let onFrame;

serve({
  connect: (options) =>
    Promise.all(Array.from({ length: options.count }, (_, index) => open(options, index))),
  /** Answers when every observer has been told `kind` (`added`, `removed`) of `count` users, or after `timeoutMs`. */
  async until({ kind, count, timeoutMs }) {
    const isTold = () => observers.every((observer) => observer[kind].size >= count);
    if (!isTold()) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        onFrame = () => {
          if (!isTold()) return;
          clearTimeout(timer);
          resolve();
        };
      });
      onFrame = undefined;
    }
    return summaryOf(kind);
  },
  summary: ({ kind }) => summaryOf(kind),
});

/** The fewest and most users an observer was told of, how often one was told again, reads from sockets so far. */
function summaryOf(kind) {
  const users = observers.map((observer) => observer[kind].size);
  const repeats = observers
    .flatMap((observer) => [...observer[kind].values()])
    .reduce((sum, times) => sum + times - 1, 0);
  return { least: Math.min(...users), most: Math.max(...users), repeats, reads };
}

function open({ port, key, secret, channel }, index) {
  const observer = { added: new Map(), removed: new Map() };
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const reader = new FrameReader();
  const subscribe = (socketId) => {
    const channelData = JSON.stringify({ user_id: `observer-${index}` });
    const signature = createHmac('sha256', secret)
      .update(`${socketId}:${channel}:${channelData}`)
      .digest('hex');
    const data = { channel, auth: `${key}:${signature}`, channel_data: channelData };
    socket.write(textFrame({ event: 'pusher:subscribe', data }));
  };
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('an observer was disconnected')));
    socket.on('connect', () => socket.write(upgradeRequest(key)));
    socket.on('data', (chunk) => {
      reads++;
      reader.read(chunk, (opcode, payload) => {
        if (opcode === 9) return socket.write(pongFrame);
        const text = payload.toString('latin1');
        if (note(observer, text)) return;
        const socketId = /"socket_id\\":\\"([\d.]+)/.exec(text)?.[1];
        if (socketId !== undefined) return subscribe(socketId);
        if (text.includes('subscription_succeeded')) {
          observers.push(observer);
          resolve();
        }
      });
      onFrame?.();
    });
  });
}

/** Whether the frame told of a member that came or went. */
function note(observer, text) {
  const [, kind] = /^\{"event":"pusher_internal:member_(added|removed)"/.exec(text) ?? [];
  if (kind === undefined) return false;
  const [, user] = /\\"user_id\\":\\"([^\\]+)/.exec(text) ?? [];
  if (user?.startsWith('member-')) observer[kind].set(user, (observer[kind].get(user) ?? 0) + 1);
  return true;
}
