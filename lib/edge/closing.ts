import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { WebSocket } from 'ws';

/** What `ws` keeps of a close. */
interface Inside {
  readonly _receiver: Writable;
  readonly _closeFrameReceived: boolean;
  _readyState: number;
}

/** Whether the client's close frame has been read. */
export function hasClientClosed(socket: WebSocket): boolean {
  return inside(socket)._closeFrameReceived;
}

/** Nothing is written any more, though `ws` was not the one to close. */
export function setClosing(socket: WebSocket): void {
  inside(socket)._readyState = WebSocket.CLOSING;
}

/**
 * `ws` ends the receiver again when the wire ends and when it is closed. For each call behind the first Node.js builds an
 * error with its stack that nobody gets: a twentieth of what a clean close cost.
 */
export function endReceiverOnce(socket: WebSocket): void {
  inside(socket)._receiver.end = endOnce;
}

/** Whom a wire asks when it is to be destroyed. */
export interface WireOwner {
  onWireEnding(): void;
}

type OwnedWire = Socket & { [owner]?: WireOwner };

const owner = Symbol('owner');

/** From here on `destroy` of the wire asks its owner, who calls `destroyPlainly` when it is time. */
export function own(wire: Socket, by: WireOwner): void {
  (wire as OwnedWire)[owner] = by;
  wire.destroy = askOwner;
}

/**
 * Destroys the wire without the error there may have been: nobody asks for it, `close` follows and tells the code. Node.js
 * writes the stack of an error out before it is emitted: a tenth of what a reset cost.
 */
export function destroyPlainly(wire: Socket): void {
  Socket.prototype.destroy.call(wire);
}

function askOwner(this: OwnedWire): Socket {
  this[owner]?.onWireEnding();
  return this;
}

function endOnce(this: Writable): Writable {
  return this.writableEnded ? this : (Writable.prototype.end as () => Writable).call(this);
}

function inside(socket: WebSocket): Inside {
  return socket as unknown as Inside;
}
