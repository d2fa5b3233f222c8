import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a link does with bytes: passes them, late or not; holds them; or refuses connections. */
export type LinkState =
  | { readonly kind: 'open' }
  | { readonly kind: 'delayed'; readonly ms: number }
  /** Connections stay, and come about; nothing passes. What was sent meanwhile passes when it thaws. */
  | { readonly kind: 'frozen' }
  /** Connections are reset, and so is each new one. */
  | { readonly kind: 'cut' };

interface Chunk {
  readonly to: Socket;
  readonly bytes: Buffer;
}

/** One node's way to Redis, which can be cut, frozen and slowed down. Made by `startLink`. */
export class FaultLink {
  readonly #targetPort: number;
  readonly #server = createServer({ noDelay: true }, (inbound) => this.#accept(inbound));
  readonly #sockets = new Set<Socket>();
  #state: LinkState = { kind: 'open' };
  #held: Chunk[] = [];
  #cuts = 0;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that it reset. */
  get cuts(): number {
    return this.#cuts;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** From now on. Bytes that are held pass when it opens, in their order. */
  become(state: LinkState): void {
    this.#state = state;
    if (state.kind === 'frozen') return;
    if (state.kind === 'cut') for (const socket of this.#sockets) this.#reset(socket);
    const held = this.#held;
    this.#held = [];
    for (const { to, bytes } of held) write(to, bytes);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #accept(inbound: Socket): void {
    if (this.#state.kind === 'cut') {
      inbound.on('error', () => inbound.destroy());
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect({ host: '127.0.0.1', port: this.#targetPort, noDelay: true });
    this.#relay(inbound, outbound);
    this.#relay(outbound, inbound);
  }

  #relay(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    // Bytes stay behind those before them, also when the delay has grown shorter.
    const waiting: { readonly dueMs: number; readonly bytes: Buffer }[] = [];
    const passDue = (): void => {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const leftMs = next.dueMs - performance.now();
        if (leftMs > 0) {
          setTimeout(passDue, leftMs);
          return;
        }
        waiting.shift();
        this.#pass(to, next.bytes);
      }
    };
    from.on('data', (bytes: Buffer) => {
      const delayMs = this.#state.kind === 'delayed' ? this.#state.ms : 0;
      waiting.push({ dueMs: performance.now() + delayMs, bytes });
      if (waiting.length === 1) passDue();
    });
  }

  #pass(to: Socket, bytes: Buffer): void {
    if (this.#state.kind === 'frozen') this.#held.push({ to, bytes });
    else write(to, bytes);
  }

  #reset(socket: Socket): void {
    this.#cuts += 1;
    socket.resetAndDestroy();
  }
}

/** A port of its own on loopback that leads there. */
export async function startLink(targetPort: number): Promise<FaultLink> {
  const link = new FaultLink(targetPort);
  await link.listen();
  return link;
}

function write(to: Socket, bytes: Buffer): void {
  if (!to.destroyed) to.write(bytes);
}
