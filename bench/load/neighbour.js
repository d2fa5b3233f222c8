// A healthy client beside a storm: publishes at a fixed rate and measures how long each event takes to come back. It
// sends by the clock, whether or not earlier events have arrived, so a stall of the server is not left out.
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { clientFrame, FrameReader, pongFrame, textFrame, upgradeRequest } from './frames.js';
import { serve } from './worker.js';

const padding = 'x'.repeat(150);
const channel = 'private-neighbour';
/** When each event was sent, by its number, until it has arrived. */
const sentAt = new Map();
let samples = [];
let next = 0;
/** The longest this process itself came late in the last measurement. */
let lateMs = 0;
let publisher;
let onArrival;
let publishing;
let isStopped = false;

serve({
  /** One connection that is echoed, or one that publishes and one that receives. */
  async connect({ port, key, secret, protocol }) {
    publisher = await open({ port, key, secret, protocol });
    if (protocol === 'pusher') await open({ port, key, secret, protocol });
  },
  /** Publishes `perSecond` for `durationMs`, waits for what is under way, answers quantiles in milliseconds. */
  async measure({ perSecond, durationMs, patienceMs = 20_000 }) {
    return await quantiles(await publishByTheClock(perSecond, durationMs), patienceMs);
  },
  /** Publishes `perSecond` until `stop`, which answers as `measure` does. */
  start({ perSecond }) {
    publishing = publishByTheClock(perSecond, Infinity);
  },
  async stop({ patienceMs = 20_000 }) {
    isStopped = true;
    return await quantiles(await publishing, patienceMs);
  },
});

async function quantiles(sent, patienceMs) {
  if (sentAt.size > 0) await arrivals(patienceMs);
  const sorted = samples.toSorted((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  return { sent, lost: sentAt.size, p50: at(0.5), p99: at(0.99), max: at(1), lateMs };
}

function publishByTheClock(perSecond, durationMs) {
  samples = [];
  sentAt.clear();
  isStopped = false;
  const startedMs = performance.now();
  const total = Math.floor((perSecond * durationMs) / 1000);
  let sent = 0;
  let lastTickMs = startedMs;
  lateMs = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      lateMs = Math.max(lateMs, nowMs - lastTickMs - 1);
      lastTickMs = nowMs;
      const due = Math.min(total, Math.floor(((nowMs - startedMs) * perSecond) / 1000));
      for (; sent < due; sent++) publish();
      if (sent < total && !isStopped) return;
      clearInterval(timer);
      resolve(sent);
    }, 1);
  });
}

function publish() {
  const number = next++;
  const data = `#${number}#${padding}`;
  sentAt.set(number, performance.now());
  publisher.write(textFrame({ event: 'client-bench', channel, data }));
}

function arrivals(patienceMs) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    onArrival = () => {
      if (sentAt.size > 0) return;
      clearTimeout(timer);
      onArrival = undefined;
      resolve();
    };
  });
}

function arrived(text) {
  const number = Number(/#(\d+)#/.exec(text)?.[1]);
  const sentMs = sentAt.get(number);
  if (sentMs === undefined) return;
  sentAt.delete(number);
  samples.push(performance.now() - sentMs);
  onArrival?.();
}

function open({ port, key, secret, protocol }) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const reader = new FrameReader();
  const subscribe = (socketId) => {
    const signature = createHmac('sha256', secret).update(`${socketId}:${channel}`).digest('hex');
    socket.write(textFrame({ event: 'pusher:subscribe', data: { channel, auth: `${key}:${signature}` } }));
  };
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the neighbour was disconnected')));
    socket.on('connect', () => {
      socket.write(upgradeRequest(key));
      if (protocol === 'echo') socket.write(clientFrame(1, new TextEncoder().encode('hello')));
    });
    socket.on('data', (chunk) =>
      reader.read(chunk, (opcode, payload) => {
        if (opcode === 9) return socket.write(pongFrame);
        const text = payload.toString();
        if (text.includes('"client-bench"')) return arrived(text);
        const socketId = /"socket_id\\":\\"([\d.]+)/.exec(text)?.[1];
        if (socketId !== undefined) subscribe(socketId);
        if (text === 'hello' || text.includes('subscription_succeeded')) resolve(socket);
      }),
    );
  });
}
