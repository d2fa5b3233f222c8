// Many WebSockets in a process of their own: opens them, subscribes each, answers pings, and ends all of them at once.
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { closeFrame, pongFrame, textFrame, upgradeRequest } from './frames.js';
import { giveWay, serve } from './worker.js';

/** One buffer for all sockets: what is read is looked at before the next read. */
const readBuffer = Buffer.alloc(65_536);
const succeeded = Buffer.from('internal:subscription_succeeded');
let sockets = [];
let closed = 0;

if (process.env.LOAD_IS_FREE === undefined) giveWay();
serve({
  /** Opens `count` sockets, at most `inFlight` at a time, and answers when all have been told that they are subscribed. */
  async open(plan) {
    const startedMs = performance.now();
    const state = { next: 0 };
    await Promise.all(
      Array.from({ length: Math.min(plan.inFlight, plan.count) }, () => openInTurn(plan, state)),
    );
    return { tookMs: performance.now() - startedMs };
  },
  /** Ends every socket: `end` (close frame and FIN), `reset` (RST); `closed` counts those whose end has been seen here. */
  drop({ way }) {
    const startedMs = performance.now();
    const dropped = sockets;
    sockets = [];
    for (const socket of dropped) {
      if (way === 'reset') socket.resetAndDestroy();
      else socket.end(closeFrame);
    }
    return { tookMs: performance.now() - startedMs };
  },
  figures: () => ({ open: sockets.length, closed }),
});

async function openInTurn(plan, state) {
  while (state.next < plan.count) await open(plan, state.next++);
}

function open(plan, index) {
  const channels = channelsOf(plan, index);
  const progress = { isGreeted: false, text: '', expected: channels.length, tail: '' };
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: plan.port,
      noDelay: true,
      onread: { buffer: readBuffer, callback: (size) => onRead(readBuffer.subarray(0, size)) },
    });
    socket.on('connect', () => socket.write(upgradeRequest(plan.key)));
    socket.on('error', (error) => (progress.isJoined ? socket.destroy() : reject(error)));
    socket.on('close', () => {
      closed++;
      if (!progress.isJoined) reject(new Error(`socket ${index} was closed: ${progress.text}`));
    });

    function onRead(chunk) {
      if (hasPing(chunk)) socket.write(pongFrame);
      if (progress.isJoined) return true;
      if (progress.isGreeted) countSuccesses(chunk, progress);
      else greet(chunk);
      if (progress.isGreeted && progress.expected <= 0) {
        progress.isJoined = true;
        sockets.push(socket);
        resolve();
      }
      return true;
    }

    function greet(chunk) {
      progress.text += chunk.toString('latin1');
      if (plan.protocol === 'echo') {
        progress.isGreeted = progress.text.includes('\r\n\r\n');
        progress.expected = 0;
        return;
      }
      const socketId = /"socket_id\\":\\"([\d.]+)/.exec(progress.text)?.[1];
      if (socketId === undefined) return;
      progress.isGreeted = true;
      if (channels.length === 0) return;
      socket.write(Buffer.concat(channels.map((channel) => subscribe(plan, index, channel, socketId))));
    }
  });
}

/**
 * One for all, or one of `channelCount` with each of `prefixes` in turn, or `channelsPerSocket` neighbours among
 * `channelCount`; so that each has as many sockets as the others.
 */
function channelsOf({ channel, channelCount, channelsPerSocket, prefix, prefixes }, index) {
  if (channel !== undefined) return [channel];
  if (prefixes !== undefined) {
    const nth = Math.floor(index / prefixes.length) % channelCount;
    return [`${prefixes[index % prefixes.length]}${nth}`];
  }
  return Array.from(
    { length: channelsPerSocket },
    (_, nth) => `${prefix}${(index * channelsPerSocket + nth) % channelCount}`,
  );
}

function subscribe({ key, secret, userPrefix = 'member' }, index, channel, socketId) {
  const sign = (text) => `${key}:${createHmac('sha256', secret).update(text).digest('hex')}`;
  if (!channel.startsWith('presence-')) return textFrame({ event: 'pusher:subscribe', data: { channel } });
  const channelData = JSON.stringify({ user_id: `${userPrefix}-${index}` });
  const auth = sign(`${socketId}:${channel}:${channelData}`);
  return textFrame({ event: 'pusher:subscribe', data: { channel, auth, channel_data: channelData } });
}

/** Counts the successes in a chunk; `tail` is the end of the last one, for a name that is cut in two. */
function countSuccesses(chunk, progress) {
  const head = chunk.subarray(0, succeeded.length - 1).toString('latin1');
  if ((progress.tail + head).includes(succeeded.toString())) progress.expected--;
  for (let at = chunk.indexOf(succeeded); at !== -1; at = chunk.indexOf(succeeded, at + 1))
    progress.expected--;
  const end = chunk.subarray(-(succeeded.length - 1)).toString('latin1');
  progress.tail = (progress.tail + end).slice(-(succeeded.length - 1));
}

/** Text frames are ASCII here, so this pair is a ping, or rarely a length: an answer too many is allowed. */
function hasPing(chunk) {
  const at = chunk.indexOf(0x89);
  return at !== -1 && chunk.indexOf(Buffer.from([0x89, 0])) !== -1;
}
