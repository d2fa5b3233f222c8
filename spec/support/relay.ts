import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly port: number;
  /** Where connections made from now on go. */
  to(port: number): void;
  stop(): Promise<void>;
}

/** A port that stays while servers behind it come and go, as a load balancer's does in a rolling deployment. */
export async function startRelay(firstPort: number): Promise<Relay> {
  let target = firstPort;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const server = createServer({ noDelay: true }, (inbound) => {
    const outbound = connect({ host: '127.0.0.1', port: target, noDelay: true });
    keep(inbound, outbound);
    keep(outbound, inbound);
    inbound.pipe(outbound).pipe(inbound);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    to: (port) => {
      target = port;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
