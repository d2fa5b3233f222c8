import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { bareCloseBytes, readBareClose } from '../protocol/websocket-frame.ts';
import { handleOf, type OnRead, type StreamHandle } from './direct-writes.ts';

/** What `ws` keeps of a close. */
interface Inside {
  readonly _receiver: Writable;
  _closeFrameReceived: boolean;
  _closeCode: number;
  _readyState: number;
}

/** What its receiver keeps of the frame it is reading. */
interface FrameReading {
  /** 0: none has begun. */
  readonly _state: number;
  readonly _bufferedBytes: number;
}

/** Whether the client's close frame has been read. */
export function hasClientClosed(socket: WebSocket): boolean {
  return inside(socket)._closeFrameReceived;
}

/** Whether everything that `ws` was given is read, to the end of a frame. */
export function isBetweenFrames(socket: WebSocket): boolean {
  const { _state, _bufferedBytes } = inside(socket)._receiver as unknown as FrameReading;
  return _state === 0 && _bufferedBytes === 0;
}

/** The client's close frame has been read, though not by `ws`. */
export function setClientClosed(socket: WebSocket, code: number): void {
  inside(socket)._closeFrameReceived = true;
  inside(socket)._closeCode = code;
}

/** Nothing is written any more, though `ws` was not the one to close. */
export function setClosing(socket: WebSocket): void {
  inside(socket)._readyState = WebSocket.CLOSING;
}

/** `ws` is not told of the close, and hears of the wire no more; answers the code that it would have told. */
export function setClosed(socket: WebSocket): number {
  const { _closeCode } = inside(socket);
  inside(socket)._readyState = WebSocket.CLOSED;
  return _closeCode;
}

/**
 * `ws` ends the receiver again when the wire ends and when it is closed. For each call behind the first Node.js builds an
 * error with its stack that nobody gets: a twentieth of what a clean close cost.
 */
export function endReceiverOnce(socket: WebSocket): void {
  inside(socket)._receiver.end = endOnce;
}

/** Who is told that a wire ends. */
export interface WireOwner {
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number;
  /** Whether nobody else has to hear of the wire's close. */
  readonly closesAlone: boolean;
  /** The client's close frame, alone in what was read. False: it is to be read as frames are. */
  onCloseFrame(code: number): boolean;
  /** Once, when the wire has been destroyed and its close is still to come. */
  onWireEnding(): void;
  /** When the wire has closed, unless that is told through `ws`. */
  onWireClosed(): void;
}

type OwnedWire = Socket & { [owner]?: WireOwner };

interface OwnedHandle extends StreamHandle {
  [ownedWire]?: OwnedWire;
}

const owner = Symbol('owner');
const ownedWire = Symbol('wire');
/** One function reads for all sockets of a process. */
let readAsNode: OnRead | undefined;

/**
 * From here on the wire tells its owner that it is destroyed, and is destroyed without the error there may have been: nobody
 * asks for it, `close` follows and tells the code. Node.js writes the stack of an error out before it is emitted: a tenth of
 * what a reset cost.
 */
export function own(wire: Socket, by: WireOwner): void {
  (wire as OwnedWire)[owner] = by;
  wire.destroy = destroyPlainly;
  const handle: OwnedHandle | null = handleOf(wire);
  if (typeof handle?.onread !== 'function') return;
  readAsNode ??= handle.onread;
  if (handle.onread !== readAsNode) return;
  handle[ownedWire] = wire;
  handle.onread = readPlainly;
}

function readPlainly(this: OwnedHandle, bytes?: ArrayBuffer): unknown {
  const wire = this[ownedWire];
  if (wire !== undefined && (bytes === undefined ? endsPlainly(wire) : closesPlainly(wire, bytes)))
    return undefined;
  return readAsNode?.call(this, bytes);
}

/**
 * Whoever ends without a close frame, or is reset, is gone, and when nothing waits on either side its wire is destroyed at
 * once. Node.js would make an error first, with its stack, while thousands of ends wait to be read and others wait behind
 * them: a fifth of what the neighbours of such a storm waited for.
 */
function endsPlainly(wire: OwnedWire): boolean {
  if (owesAnything(wire)) return false;
  if (wire[owner]?.closesAlone === true) closeAlone(wire);
  wire.destroy();
  return true;
}

/** A close frame goes through two streams and five listeners otherwise, and comes in storms as well. */
function closesPlainly(wire: OwnedWire, bytes: ArrayBuffer): boolean {
  if (bytes.byteLength > bareCloseBytes || wire.readableLength > 0) return false;
  const code = readBareClose(new Uint8Array(bytes));
  return code !== undefined && wire[owner]?.onCloseFrame(code) === true;
}

/**
 * From here on nobody hears of the wire but its owner, and that when it has closed. What `ws` does at a close took 7 % of the
 * processor time of a storm of resets, and whoever published meanwhile waited for twice as long.
 */
export function closeAlone(wire: Socket): void {
  wire.emit = tellClosed;
}

function tellClosed(this: OwnedWire, event: string | symbol): boolean {
  if (event === 'close') this[owner]?.onWireClosed();
  return true;
}

function owesAnything(wire: OwnedWire): boolean {
  return wire.readableLength > 0 || (wire[owner]?.queuedBytes ?? 0) > 0;
}

function destroyPlainly(this: OwnedWire): Socket {
  const isFirst = !this.destroyed;
  Socket.prototype.destroy.call(this);
  // Whoever is told may write to this wire, which fails and brings it here again.
  if (isFirst) this[owner]?.onWireEnding();
  return this;
}

function endOnce(this: Writable): Writable {
  return this.writableEnded ? this : (Writable.prototype.end as () => Writable).call(this);
}

function inside(socket: WebSocket): Inside {
  return socket as unknown as Inside;
}
