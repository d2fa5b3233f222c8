import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Connection, Transport } from '../channels/connection.ts';
import { emptyPingFrame, encodeCloseFrame, noCloseCode } from '../protocol/websocket-frame.ts';
import {
  closeAlone,
  endReceiverOnce,
  hasClientClosed,
  isBetweenFrames,
  own,
  setClientClosed,
  setClosed,
  setClosing,
  type WireOwner,
} from './closing.ts';
import { type DirectWrites, handleOf, type StreamHandle, type Wire } from './direct-writes.ts';
import { forEachFrame } from './split-frames.ts';

/** What a client's socket tells the edge. One listener serves all sockets. */
export interface ClientSocketListener {
  onFrame(socket: ClientSocket, frame: Buffer | number): void;
  /** Its wire ends, for whatever cause; told where frames are written directly. */
  onEnding(socket: ClientSocket): void;
  onClosed(socket: ClientSocket, code: number): void;
}

/** How encoded frames get to the sockets of a server. */
export interface FrameWriting {
  /** To the raw socket, unless they are to be compressed; otherwise `ws` is handed each message. */
  readonly toRaw: boolean;
  /** Past the stream of the raw socket, where that can be trusted. */
  readonly direct?: DirectWrites | undefined;
}

/**
 * A client's WebSocket as a transport. `ws` reads and keeps the protocol; whole frames that were encoded once for many
 * sockets go to the raw socket directly, between the frames that `ws` itself writes.
 */
export class ClientSocket extends WebSocket implements Transport, Wire, WireOwner {
  connection: Connection | undefined = undefined;
  remoteAddress = '';
  /** When anything came from the client last, and when a ping that nothing answered yet was sent; 0 for none. */
  lastSeenMs = 0;
  pingedAtMs = 0;
  /** Gave no sign of life for too long: its answer to a close frame is not waited for. */
  isSilent = false;
  raw: Socket | undefined;
  handle: StreamHandle | null = null;
  mayOwe = true;
  directBytes = 0;
  #direct: DirectWrites | undefined;
  #listener: ClientSocketListener | undefined;
  #goesThroughWs = false;

  /** Called once, when the upgrade is done. */
  attach(raw: Socket, remoteAddress: string, listener: ClientSocketListener, writing: FrameWriting): void {
    this.raw = raw;
    this.#direct = writing.direct;
    if (writing.direct !== undefined) {
      this.handle = handleOf(raw);
      own(raw, this);
    }
    this.remoteAddress = remoteAddress;
    this.#listener = listener;
    this.#goesThroughWs = !writing.toRaw || this.extensions.includes('permessage-deflate');
    this.lastSeenMs = Date.now();
    endReceiverOnce(this);
  }

  /** What `ws` has to say of the socket. Listeners would be five for each socket, and are called through more hands. */
  override emit(event: string | symbol, detail?: unknown, isBinary?: unknown): boolean {
    switch (event) {
      case 'message':
        if (detail instanceof Buffer) this.received(isBinary === true ? detail.length : detail);
        return true;
      case 'ping':
      case 'pong':
        this.seen();
        return true;
      case 'error':
        // `close` follows every error and tells the code.
        this.resume();
        return true;
      case 'close':
        this.ended(Number(detail));
        return true;
      default:
        return super.emit(event, detail, isBinary);
    }
  }

  get isOpen(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get queuedBytes(): number {
    if (this.#goesThroughWs) return this.bufferedAmount;
    return this.mayOwe ? (this.raw?.writableLength ?? 0) + this.directBytes : 0;
  }

  /** Neither is a close under way, nor has anything of compression to be released. */
  get closesAlone(): boolean {
    return this.readyState === WebSocket.OPEN && !this.#goesThroughWs;
  }

  write(frames: Buffer): void {
    if (this.readyState !== WebSocket.OPEN) return;
    if (this.#goesThroughWs) forEachFrame(frames, (payload) => this.send(payload, { binary: false }));
    else if (this.#direct?.tryWrite(this, frames) !== true) this.raw?.write(frames);
  }

  /** An empty ping, which any client answers (protocol.md 1.3). */
  override ping(): void {
    if (this.#direct?.tryWrite(this, emptyPingFrame) !== true) super.ping();
  }

  /**
   * `ws` calls this too: to answer the client's close frame, and when the client has answered ours, after which it ends the
   * wire.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.readyState === WebSocket.OPEN) {
      if ((hasClientClosed(this) || this.isSilent) && this.#closesAtOnce(code, reason)) return;
      // The client's own close frame has to be read for the close to be clean.
      this.resume();
    }
    super.close(code, reason);
  }

  /** Anything from the client is a sign of life (protocol.md 1.3). */
  seen(): void {
    this.lastSeenMs = Date.now();
    this.pingedAtMs = 0;
  }

  received(frame: Buffer | number): void {
    this.seen();
    this.#listener?.onFrame(this, frame);
  }

  onCloseFrame(code: number): boolean {
    if (!this.closesAlone || this.queuedBytes > 0 || !isBetweenFrames(this)) return false;
    setClientClosed(this, code);
    this.close(code === noCloseCode ? undefined : code);
    return true;
  }

  onWireEnding(): void {
    this.#listener?.onEnding(this);
  }

  onWireClosed(): void {
    this.ended(setClosed(this));
  }

  ended(code: number): void {
    this.#listener?.onClosed(this, code);
  }

  /**
   * Sends the close frame and closes the wire in one go, as a server may when the client has closed, or cannot answer (RFC
   * 6455 sections 7.1.1 and 7.1.7). `ws` ends its side and waits for the end of the other: two more turns of the event loop
   * and a third of what a clean close cost, and seconds for a client that is gone. One that reads so slowly that the kernel
   * has no room for the frame does not get it.
   */
  #closesAtOnce(code?: number, reason?: string | Buffer): boolean {
    if (this.queuedBytes > 0) return false;
    if (this.#direct?.tryWrite(this, encodeCloseFrame(code, reason)) !== true) return false;
    if (this.closesAlone && this.raw !== undefined) closeAlone(this.raw);
    setClosing(this);
    this.raw?.destroy();
    return true;
  }
}
