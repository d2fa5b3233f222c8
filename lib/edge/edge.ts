import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Subject } from 'rxjs';
import { type Server as UpgradeServer, type ServerOptions, WebSocketServer } from 'ws';
import type { Config } from '../../config/schema.ts';
import type { ConnectionAttempted, MessageReceived } from '../stages/events.ts';
import type { NodeState } from '../stages/services.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { ClientSocket, type ClientSocketListener, type FrameWriting } from './client-socket.ts';
import { toConnectionRequest } from './connection-request.ts';
import type { DirectWrites } from './direct-writes.ts';
import { TrustedProxies } from './trusted-proxies.ts';

/** After a close frame was sent, how long the client may take to answer it. */
const closeTimeoutMs = 5_000;
/** How long HTTP may take, and how often that is looked at. */
const httpTimeouts: HttpTimeouts = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 60_000,
  checkEveryMs: 5_000,
};

export interface HttpTimeouts {
  readonly headersMs: number;
  readonly requestMs: number;
  /** Between two requests of a connection. */
  readonly keepAliveMs: number;
  readonly checkEveryMs: number;
}

export interface EdgeParts {
  readonly config: Config;
  readonly node: NodeState;
  readonly telemetry: Telemetry;
  /** Plain HTTP requests. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly timeouts?: HttpTimeouts;
  /** Given, frames are written past the streams of the sockets; not for TLS. */
  readonly directWrites?: DirectWrites | undefined;
}

/** A client's wire is gone, with the close code it gave; 1006 when it gave none. */
export interface WireClosed {
  readonly socket: ClientSocket;
  readonly code: number;
}

/** The public listener: owns the port, the upgrades and the sockets, and turns what happens there into four streams. */
export class Edge implements ClientSocketListener {
  readonly connects$ = new Subject<ConnectionAttempted>();
  readonly messages$ = new Subject<MessageReceived>();
  /** Wires that end, each before its close: thousands of them in one phase of the event loop, when they end together. */
  readonly ends$ = new Subject<ClientSocket>();
  readonly closes$ = new Subject<WireClosed>();
  readonly #parts: EdgeParts;
  readonly #server: Server;
  readonly #upgrades: UpgradeServer<typeof ClientSocket>;
  readonly #proxies: TrustedProxies;
  readonly #writing: FrameWriting;
  readonly #sockets = new Set<ClientSocket>();

  constructor(parts: EdgeParts) {
    const { config, onRequest, timeouts = httpTimeouts } = parts;
    this.#parts = parts;
    this.#writing = { toRaw: config.server.fastPaths, direct: parts.directWrites };
    this.#proxies = new TrustedProxies(config.server.trustedProxies);
    this.#upgrades = createUpgrades(config);
    this.#server = createListener(config, onRequest, timeouts);
    this.#server.keepAliveTimeout = timeouts.keepAliveMs;
    this.#server.on('upgrade', (request: IncomingMessage, raw: Socket, head: Buffer) =>
      this.#upgrade(request, raw, head),
    );
    this.#server.on('clientError', refuseMalformed);
  }

  /** Sockets open, those that were never established or are closing included. */
  get open(): number {
    return this.#sockets.size;
  }

  listen(): Promise<number> {
    const { host, port } = this.#parts.config.server;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no more connections; those that are open stay. */
  stopListening(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  /** Ends what is left, at once. */
  destroy(): void {
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.terminate();
  }

  /** What is open, for the sweep. */
  get sockets(): Iterable<ClientSocket> {
    return this.#sockets;
  }

  onFrame(socket: ClientSocket, frame: Buffer | number): void {
    this.messages$.next({ transport: socket, frame });
  }

  onEnding(socket: ClientSocket): void {
    this.ends$.next(socket);
  }

  onClosed(socket: ClientSocket, code: number): void {
    this.#sockets.delete(socket);
    this.closes$.next({ socket, code });
  }

  /** The accept gate: a full or stopping server says so before any work is done for the caller. */
  #upgrade(request: IncomingMessage, raw: Socket, head: Buffer): void {
    const { config, node } = this.#parts;
    const limit = config.server.maxConnections;
    const caller = this.#proxies.callerOf(request);
    if (node.draining) {
      this.#refuse(raw, 'server is restarting', caller.address);
      return;
    }
    if (limit > 0 && this.#sockets.size >= limit) {
      this.#refuse(raw, `server is at its maximum of ${limit} connections`, caller.address);
      return;
    }
    // The answer to the upgrade and the first frame leave in one write, unless the first frame has to wait for a store.
    raw.cork();
    this.#upgrades.handleUpgrade(request, raw, head, (socket) => {
      socket.attach(raw, caller.address, this, this.#writing);
      this.#sockets.add(socket);
      const connectionRequest = toConnectionRequest(request, config.server.path, caller);
      this.connects$.next({ transport: socket, request: connectionRequest });
    });
    raw.uncork();
  }

  #refuse(raw: Duplex, reason: string, remoteAddress: string): void {
    answerAndClose(raw, '503 Service Unavailable', 'Retry-After: 1\r\n');
    this.#parts.telemetry.emit('upgrade.refused', { status: 503, reason, remoteAddress });
  }
}

function createListener(
  { server }: Config,
  onRequest: EdgeParts['onRequest'],
  timeouts: HttpTimeouts,
): Server {
  const options = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: timeouts.checkEveryMs,
    noDelay: true,
  };
  if (server.tls === undefined) return createServer(options, onRequest);
  const { certFile, keyFile } = server.tls;
  return createTlsServer({ ...options, cert: readFileSync(certFile), key: readFileSync(keyFile) }, onRequest);
}

function createUpgrades({ server }: Config): UpgradeServer<typeof ClientSocket> {
  const options: ServerOptions<typeof ClientSocket> & { readonly closeTimeout: number } = {
    noServer: true,
    WebSocket: ClientSocket,
    clientTracking: false,
    maxPayload: server.maxPayloadBytes,
    perMessageDeflate: server.perMessageDeflate,
    // None is known, so none is selected, whatever is offered (protocol.md 1.1).
    handleProtocols: () => false,
    closeTimeout: closeTimeoutMs,
  };
  return new WebSocketServer(options);
}

/** What is no HTTP, or too slow, gets the status for it and no more attention. */
function refuseMalformed(error: NodeJS.ErrnoException, raw: Duplex): void {
  if (error.code !== 'ECONNRESET' && raw.writable) answerAndClose(raw, statusOf(error));
  else raw.destroy();
}

function statusOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
}

/** Both sides are closed: a caller that keeps its own open would hold the descriptor for as long as it likes. */
function answerAndClose(raw: Duplex, status: string, headers = ''): void {
  raw.once('error', () => raw.destroy());
  raw.once('finish', () => raw.destroy());
  raw.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}
