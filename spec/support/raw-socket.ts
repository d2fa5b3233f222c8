import { connect as connectSocket, type Socket } from 'node:net';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface HttpHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface FrameOptions {
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** Reserved bits, 1 to 7. */
  readonly rsv?: number;
  /** What the header says, whatever the payload is. */
  readonly claimedLength?: number;
}

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** One frame as a client sends it, or as none should. */
export function encodeFrame(opcode: number, data: string | Buffer = '', options: FrameOptions = {}): Buffer {
  const { fin = true, masked = true, rsv = 0 } = options;
  const payload = Buffer.from(data);
  const length = options.claimedLength ?? payload.length;
  const extended = length < 126 ? 0 : length <= 0xffff ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + (masked ? 4 : 0) + payload.length);
  frame[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  frame[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  let at = 2 + extended;
  if (masked) at += mask.copy(frame, at);
  for (let i = 0; i < payload.length; i++) frame[at + i] = payload[i]! ^ (masked ? mask[i % 4]! : 0);
  return frame;
}

/** A close frame's code; 1005 when it has none. */
export function closeCodeOf({ payload }: RawFrame): number {
  return payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
}

/** The upgrade request a client library sends. */
export function upgradeRequest(path: string, headers: readonly string[] = []): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export interface RawOptions {
  /** Stays open for writing when the server has ended its side. */
  readonly allowHalfOpen?: boolean;
}

/**
 * A TCP socket that says what a spec tells it to and nothing else: no pong, no close frame, no end. What comes is kept
 * as bytes, and taken as an HTTP head, as a body or as WebSocket frames.
 */
export class RawSocket {
  readonly socket: Socket;
  /** Fulfilled when the server has ended its side or the connection is gone. */
  readonly ended: Promise<'end' | 'reset'>;
  #received: Buffer = Buffer.alloc(0);
  #ended: 'end' | 'reset' | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    open.add(socket);
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      const end = (how: 'end' | 'reset') => (): void => {
        this.#ended ??= how;
        resolve(this.#ended);
        this.#wake();
      };
      socket.once('end', end('end'));
      socket.once('error', end('reset'));
      socket.once('close', () => {
        open.delete(socket);
        end('end')();
      });
    });
  }

  /** Bytes that came and nobody took. */
  get pending(): Buffer {
    return this.#received;
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  frame(opcode: number, data?: string | Buffer, options?: FrameOptions): void {
    this.socket.write(encodeFrame(opcode, data, options));
  }

  /** A text frame with JSON. */
  send(message: object): void {
    this.frame(opcodes.text, JSON.stringify(message));
  }

  /** Ends the connection with a reset, without a goodbye. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** The head of the next HTTP answer. */
  async head(): Promise<HttpHead> {
    const text = await this.#take(() => {
      const at = this.#received.indexOf('\r\n\r\n');
      return at === -1 ? undefined : at + 4;
    });
    const [first = '', ...lines] = text.toString('latin1').trimEnd().split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    return { status: Number(first.split(' ')[1]), headers: new Map(headers) };
  }

  /** The next HTTP answer with its body; the answer to HEAD has none. */
  async answer(isHead = false): Promise<HttpHead & { readonly body: string }> {
    const head = await this.head();
    const length = isHead ? 0 : Number(head.headers.get('content-length') ?? 0);
    const body = await this.#take(() => (this.#received.length >= length ? length : undefined));
    return { ...head, body: body.toString() };
  }

  /** The next WebSocket frame. Fails when the connection ends before one came. */
  async nextFrame(): Promise<RawFrame> {
    const bytes = await this.#take(() => frameLength(this.#received));
    return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(headerLength(bytes[1]! & 0x7f)) };
  }

  /** The next frame of this kind, skipping others. */
  async frameOf(opcode: number): Promise<RawFrame> {
    for (;;) {
      const frame = await this.nextFrame();
      if (frame.opcode === opcode) return frame;
    }
  }

  /** The code of the server's close frame, skipping what comes before it. */
  async closeCode(): Promise<number> {
    return closeCodeOf(await this.frameOf(opcodes.close));
  }

  /** The next text frame, parsed. */
  async message(): Promise<{ readonly event: string; readonly data?: unknown }> {
    const { payload } = await this.frameOf(opcodes.text);
    return JSON.parse(payload.toString()) as { event: string };
  }

  async #take(lengthOf: () => number | undefined): Promise<Buffer> {
    for (;;) {
      const length = lengthOf();
      if (length !== undefined) {
        const taken = this.#received.subarray(0, length);
        this.#received = this.#received.subarray(length);
        return taken;
      }
      if (this.#ended !== undefined) throw new Error(`the connection ended (${this.#ended})`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function headerLength(short: number): number {
  return short === 126 ? 4 : short === 127 ? 10 : 2;
}

/** The bytes of the first frame; undefined when it is not all there. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const header = headerLength(short);
  if (bytes.length < header) return undefined;
  const payload =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  return bytes.length >= header + payload ? header + payload : undefined;
}

/** Every socket made since the last call of `closeRawSockets`. */
const open = new Set<Socket>();

export function closeRawSockets(): void {
  for (const socket of open) socket.destroy();
  open.clear();
}

export async function openRaw(port: number, options: RawOptions = {}): Promise<RawSocket> {
  const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true, ...options });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new RawSocket(socket);
}

/** A WebSocket by hand, greeted; answers its socket id. */
export async function connectRaw(
  { port, key }: { readonly port: number; readonly key: string },
  options: RawOptions = {},
): Promise<{ readonly raw: RawSocket; readonly socketId: string }> {
  const raw = await openRaw(port, options);
  raw.write(upgradeRequest(`/app/${key}?protocol=7&client=raw`));
  const { status } = await raw.head();
  if (status !== 101) throw new Error(`the upgrade was answered with ${status}`);
  const { event, data } = await raw.message();
  if (event !== 'pusher:connection_established') throw new Error(`first frame was ${event}`);
  return { raw, socketId: (JSON.parse(String(data)) as { socket_id: string }).socket_id };
}
