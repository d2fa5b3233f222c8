// A webhook receiver that counts what it is told and, when asked, hangs or refuses.
import { Buffer } from 'node:buffer';
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { giveWay, serve } from './worker.js';

/** Events by `name channel [user]`, with how often each came and when the first did. */
const told = new Map();
const tally = { requests: 0, events: 0 };
let mode = 'ok';
let waiting;

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    tally.requests++;
    if (mode === 'hang') return;
    if (mode === 'error') return response.writeHead(500).end();
    take(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(200).end();
  });
  request.on('error', () => response.destroy());
});

giveWay();
serve({
  listen: () =>
    new Promise((resolve) => {
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
        resolve({ port: server.address().port }),
      );
    }),
  /** `ok`, `hang` (takes the request and never answers), `error` (500). */
  behave(options) {
    mode = options.mode;
  },
  reset() {
    told.clear();
    tally.requests = 0;
    tally.events = 0;
  },
  /** Answers when `count` different channels have been told `name`, or after `timeoutMs`; then how often each was. */
  async until({ name, prefix, count, timeoutMs }) {
    const summary = () => summaryOf(name, prefix);
    if (summary().channels < count) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiting = () => {
          if (summary().channels < count) return;
          clearTimeout(timer);
          resolve();
        };
      });
      waiting = undefined;
    }
    return summary();
  },
  summary: ({ name, prefix }) => summaryOf(name, prefix),
  /** When each event that matches came first, by its key. Comparable between processes. */
  times: ({ name, prefix }) =>
    Object.fromEntries(
      [...told].filter(([key]) => key.startsWith(`${name} ${prefix}`)).map(([key, { atMs }]) => [key, atMs]),
    ),
});

function take({ events }) {
  const atMs = performance.timeOrigin + performance.now();
  for (const { name, channel, user_id: userId } of events) {
    const key = userId === undefined ? `${name} ${channel}` : `${name} ${channel} ${userId}`;
    const known = told.get(key);
    if (known === undefined) told.set(key, { times: 1, atMs });
    else known.times++;
    tally.events++;
  }
  waiting?.();
}

/** How many channels were told it, and how often beyond once. */
function summaryOf(name, prefix) {
  let channels = 0;
  let repeats = 0;
  for (const [key, { times }] of told) {
    if (!key.startsWith(`${name} ${prefix}`)) continue;
    channels++;
    repeats += times - 1;
  }
  return { channels, repeats, ...tally };
}
