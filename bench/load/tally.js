// A webhook receiver that only counts: it must cost less than the server that posts to it.
import { Buffer } from 'node:buffer';
import { createServer } from 'node:http';
import { serve } from './worker.js';

const tally = { requests: 0, events: 0 };
let onEvents;

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    tally.requests++;
    tally.events += JSON.parse(Buffer.concat(chunks).toString()).events.length;
    response.writeHead(200).end();
    onEvents?.();
  });
  request.on('error', () => response.destroy());
});

serve({
  listen: () =>
    new Promise((resolve) => {
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
        resolve({ port: server.address().port }),
      );
    }),
  /** Answers when `count` events have come in all, or after `timeoutMs`; then how many came, in how many requests. */
  async until({ count, timeoutMs }) {
    if (tally.events < count) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        onEvents = () => {
          if (tally.events < count) return;
          clearTimeout(timer);
          resolve();
        };
      });
      onEvents = undefined;
    }
    return { ...tally };
  },
});
