import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Connection, Transport } from '../channels/connection.ts';
import { forEachFrame } from './split-frames.ts';

/** What a client's socket tells the edge. One listener serves all sockets. */
export interface ClientSocketListener {
  onFrame(socket: ClientSocket, frame: string | number): void;
  onClosed(socket: ClientSocket, code: number): void;
}

/**
 * A client's WebSocket as a transport. `ws` reads and keeps the protocol; whole frames that were encoded once for many
 * sockets go to the raw socket directly, between the frames that `ws` itself writes.
 */
export class ClientSocket extends WebSocket implements Transport {
  connection: Connection | undefined = undefined;
  remoteAddress = '';
  /** When anything came from the client last, and when a ping that nothing answered yet was sent; 0 for none. */
  lastSeenMs = 0;
  pingedAtMs = 0;
  #raw: Duplex | undefined;
  #listener: ClientSocketListener | undefined;
  #compresses = false;

  /** Called once, when the upgrade is done. */
  attach(raw: Duplex, remoteAddress: string, listener: ClientSocketListener): void {
    this.#raw = raw;
    this.remoteAddress = remoteAddress;
    this.#listener = listener;
    this.#compresses = this.extensions.includes('permessage-deflate');
    this.lastSeenMs = Date.now();
    this.on('message', onMessage);
    this.on('ping', onSign);
    this.on('pong', onSign);
    this.on('error', onSocketError);
    this.on('close', onClose);
  }

  get isOpen(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get queuedBytes(): number {
    return this.#compresses ? this.bufferedAmount : (this.#raw?.writableLength ?? 0);
  }

  write(frames: Buffer): void {
    if (this.readyState !== WebSocket.OPEN) return;
    if (this.#compresses) forEachFrame(frames, (payload) => this.send(payload, { binary: false }));
    else this.#raw?.write(frames);
  }

  /** `ws` calls this too: once more when the client has answered the close, and only then ends the wire. */
  override close(code: number, reason: string): void {
    // The client's own close frame has to be read for the close to be clean.
    if (this.readyState === WebSocket.OPEN) this.resume();
    super.close(code, reason);
  }

  /** Anything from the client is a sign of life (protocol.md 1.3). */
  seen(): void {
    this.lastSeenMs = Date.now();
    this.pingedAtMs = 0;
  }

  received(frame: string | number): void {
    this.seen();
    this.#listener?.onFrame(this, frame);
  }

  ended(code: number): void {
    this.#listener?.onClosed(this, code);
  }
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  if (this instanceof ClientSocket) this.received(isBinary ? data.length : data.toString('utf8'));
}

function onSign(this: WebSocket): void {
  if (this instanceof ClientSocket) this.seen();
}

/** `close` follows every error and tells the code; without a listener the error would end the process. */
function onSocketError(this: WebSocket): void {
  this.resume();
}

function onClose(this: WebSocket, code: number): void {
  if (this instanceof ClientSocket) this.ended(code);
}
