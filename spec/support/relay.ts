import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface Relay {
  readonly port: number;
  /** Where connections made from now on go. */
  to(port: number): void;
  /** Ends every connection and refuses new ones, until `heal`. */
  cut(): void;
  /** Passes nothing on, with every connection and new ones left standing, until `heal`. */
  freeze(): void;
  /** What arrives from now on is passed on so much later, in order. 0: at once. */
  delay(ms: number): void;
  /** The end of `cut` and `freeze`: what was held back is passed on. */
  heal(): void;
  stop(): Promise<void>;
}

/** A port that stays while servers behind it come and go, as a load balancer's does in a rolling deployment. */
export async function startRelay(firstPort: number): Promise<Relay> {
  let target = firstPort;
  let isCut = false;
  const weather = new Weather();
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
    if (isCut) {
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect({ host: '127.0.0.1', port: target, noDelay: true });
    keep(inbound, outbound);
    keep(outbound, inbound);
    inbound.pipe(weather.passage()).pipe(outbound).pipe(weather.passage()).pipe(inbound);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    to: (port) => {
      target = port;
    },
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    freeze: () => weather.freeze(),
    delay: (ms) => {
      weather.delayMs = ms;
    },
    heal: () => {
      isCut = false;
      weather.thaw();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What all passages of a relay share: whether, and how much later, bytes go on. */
class Weather {
  delayMs = 0;
  #isFrozen = false;
  #held: (() => void)[] = [];

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    const held = this.#held;
    this.#held = [];
    for (const passOn of held) passOn();
  }

  /** One direction of one connection; in order, since each chunk waits for the one before it. */
  passage(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const arrivedAtMs = performance.now();
        const passOn = (): void => {
          if (this.#isFrozen) {
            this.#held.push(passOn);
            return;
          }
          const leftMs = arrivedAtMs + this.delayMs - performance.now();
          if (leftMs <= 0) done(null, chunk);
          else setTimeout(passOn, leftMs);
        };
        passOn();
      },
    });
  }
}
