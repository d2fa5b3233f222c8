import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type FaultLink, startLink } from './fault-link.ts';

let server: Server;
let link: FaultLink;
let socket: Socket;
let heard = '';
let onHeard: () => void = () => undefined;
beforeEach(async () => {
  server = createServer((peer) => {
    peer.on('error', () => peer.destroy());
    peer.pipe(peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  link = await startLink((server.address() as AddressInfo).port);
  heard = '';
  socket = await open();
});
afterEach(async () => {
  socket.destroy();
  await link.stop();
  server.close();
});

async function open(): Promise<Socket> {
  const opened = connect(link.port, '127.0.0.1');
  opened.on('error', () => opened.destroy());
  opened.on('data', (bytes: Buffer) => {
    heard += bytes.toString();
    onHeard();
  });
  await once(opened, 'connect');
  return opened;
}

/** Whether it ended or was reset. */
function untilClosed(closing: Socket): Promise<void> {
  return new Promise((resolve) => {
    closing.on('error', () => closing.destroy());
    closing.on('close', () => resolve());
  });
}

function untilHeard(text: string): Promise<void> {
  return new Promise((resolve) => {
    onHeard = () => {
      if (heard === text) resolve();
    };
    onHeard();
  });
}

test('an open link passes bytes both ways', async () => {
  socket.write('hello');
  await untilHeard('hello');
});

test('a cut link ends its connections and takes no other, until it is open again', async () => {
  socket.write('a');
  await untilHeard('a');
  const closed = untilClosed(socket);
  link.become({ kind: 'cut' });
  await closed;
  await untilClosed(connect(link.port, '127.0.0.1'));
  link.become({ kind: 'open' });
  socket = await open();
  heard = '';
  socket.write('b');
  await untilHeard('b');
});

test('a frozen link passes nothing, and everything in order when it thaws', async () => {
  socket.write('a');
  await untilHeard('a');
  link.become({ kind: 'frozen' });
  socket.write('b');
  // Far longer than bytes take otherwise.
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(heard).toBe('a');
  socket.write('c');
  link.become({ kind: 'open' });
  await untilHeard('abc');
});

test('a delayed link passes late and in order, also when it gets faster', async () => {
  link.become({ kind: 'delayed', ms: 40 });
  const sentMs = performance.now();
  socket.write('slow ');
  await new Promise((resolve) => setTimeout(resolve, 20));
  link.become({ kind: 'open' });
  socket.write('fast');
  await untilHeard('slow fast');
  expect(performance.now() - sentMs).toBeGreaterThan(35);
});
