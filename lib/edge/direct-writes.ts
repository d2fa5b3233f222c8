import type { Socket } from 'node:net';

/** A write that the kernel could not take at once, as libuv keeps it (Node's `WriteWrap`). */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes alive until they are sent. */
  buffer?: Buffer;
}

export type WriteRequestClass = new () => WriteRequest;

/** Called with what was read; with nothing when the other side has ended, or the connection has failed. */
export type OnRead = (this: StreamHandle, bytes?: ArrayBuffer) => unknown;

/** What Node's own streams read and write through. It is no public interface: `checkDirectWrites` tries it before it is used. */
export interface StreamHandle {
  /** Answers 0, or a negative error number. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  /** Bytes that wait for the kernel to have room. */
  readonly writeQueueSize: number;
  onread?: OnRead;
}

/** Null when the socket is closed. */
export function handleOf(socket: Socket): StreamHandle | null {
  return (socket as unknown as { readonly _handle: StreamHandle | null })._handle;
}

/** What direct writes know of a socket: more of it is not looked at for each of thousands that are written to. */
export interface Wire {
  readonly raw: Socket | undefined;
  readonly handle: StreamHandle | null;
  /** Something may wait, for the kernel or in the stream. True at first. */
  mayOwe: boolean;
  /** Bytes written directly that the kernel had no room for yet. */
  directBytes: number;
}

/**
 * Writes to sockets past their streams, which cost more than the rest of what we do for a recipient. Only to a socket
 * that owes nothing: what the kernel cannot take is libuv's to finish, and the stream writes behind it until it is.
 * Control frames that `ws` has in the stream meanwhile may come between two of ours or behind them, as they may anyway.
 */
export class DirectWrites {
  readonly #Request: WriteRequestClass;
  /** Used again as long as the kernel takes everything at once. */
  #request: WriteRequest;

  constructor(Request: WriteRequestClass) {
    this.#Request = Request;
    this.#request = new Request();
  }

  /** False when the stream has to do it. A wire that fails is destroyed, and closes as with the stream. */
  tryWrite(wire: Wire, bytes: Buffer): boolean {
    const { handle } = wire;
    if (handle === null || (wire.mayOwe && owes(wire))) return false;
    const request = this.#request;
    if (handle.writeBuffer(request, bytes) < 0) wire.raw?.destroy();
    else if (handle.writeQueueSize > 0) this.#handOver(request, wire, handle.writeQueueSize, bytes);
    return true;
  }

  #handOver(request: WriteRequest, wire: Wire, queuedBytes: number, bytes: Buffer): void {
    this.#request = new this.#Request();
    wire.mayOwe = true;
    wire.directBytes = queuedBytes;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      wire.directBytes = 0;
      if (status < 0) wire.raw?.destroy();
    };
  }
}

function owes(wire: Wire): boolean {
  wire.mayOwe = wire.directBytes > 0 || (wire.raw?.writableLength ?? 0) > 0;
  return wire.mayOwe;
}
