// A proxy that can fall silent: its connections stay up, and nothing passes through them any more.
import { connect, createServer } from 'node:net';
import { giveWay, serve } from './worker.js';

const sockets = new Set();

giveWay();
serve({
  listen: ({ target }) =>
    new Promise((resolve) => {
      const server = createServer({ noDelay: true }, (inbound) => {
        const outbound = connect({ host: '127.0.0.1', port: target, noDelay: true });
        join(inbound, outbound);
        join(outbound, inbound);
      });
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
        resolve({ port: server.address().port }),
      );
    }),
  silence() {
    for (const socket of sockets) socket.pause().removeAllListeners('data');
  },
});

function join(from, to) {
  sockets.add(from);
  from.on('data', (chunk) => to.write(chunk));
  from.on('error', () => to.destroy());
  from.on('close', () => {
    sockets.delete(from);
    to.destroy();
  });
}
