import { createHmac } from 'node:crypto';
import { type ClientOptions, WebSocket } from 'ws';

export interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly user_id?: string;
  /** The text as it came. */
  readonly raw: string;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface Target {
  readonly port: number;
  readonly key: string;
  readonly secret: string;
}

export interface ConnectOptions {
  /** Replaces `/app/KEY?protocol=7&client=spec&version=1.0`. */
  readonly path?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `wss`, for servers with TLS. */
  readonly secure?: boolean;
  /** What `ws` is told besides: compression, a peer that answers no pings. */
  readonly socket?: ClientOptions;
}

/** A client that forgets nothing: every frame is kept until a spec asks for it. Made by `connect` or `open`. */
export class TestClient {
  readonly socket: WebSocket;
  readonly key: string;
  readonly secret: string;
  socketId = '';
  /** Fulfilled when the socket has closed. */
  readonly closed: Promise<Closed>;
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #closed: Closed | undefined;

  constructor(socket: WebSocket, key: string, secret: string) {
    this.socket = socket;
    this.key = key;
    this.secret = secret;
    socket.on('message', (data: Buffer) => {
      const raw = data.toString();
      this.#frames.push({ ...(JSON.parse(raw) as Omit<Frame, 'raw'>), raw });
      this.#wake?.();
    });
    socket.on('error', () => this.#wake?.());
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#closed = { code, reason: reason.toString() };
        this.#wake?.();
        resolve(this.#closed);
      });
    });
  }

  /** The next frame, whatever it is. Fails when the socket closes before one comes. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#closed !== undefined)
        throw new Error(`closed with ${this.#closed.code} ${this.#closed.reason}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next frame of that event (and channel), skipping others; the skipped ones are gone. */
  async waitFor(event: string, channel?: string): Promise<Frame> {
    for (;;) {
      const frame = await this.next();
      if (frame.event === event && (channel === undefined || frame.channel === channel)) return frame;
    }
  }

  /** The frames before the next one of that event (and channel), and that one as the last. */
  async until(event: string, channel?: string): Promise<readonly Frame[]> {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      frames.push(frame);
      if (frame.event === event && (channel === undefined || frame.channel === channel)) return frames;
    }
  }

  /** Everything that came until the server answered a ping sent now: whatever it was going to send before is here. */
  async drain(): Promise<readonly Frame[]> {
    this.send({ event: 'pusher:ping', data: {} });
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame.event === 'pusher:pong') return frames;
      frames.push(frame);
    }
  }

  send(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string | Buffer): void {
    this.socket.send(text);
  }

  /** Sends a subscribe, signed when the name asks for it; the answer is yet to come. */
  subscribe(channel: string, channelData?: object | string): void {
    const data = typeof channelData === 'object' ? JSON.stringify(channelData) : channelData;
    const needsAuth = channel.startsWith('private-') || channel.startsWith('presence-');
    const auth = needsAuth ? this.signChannel(channel, data) : '';
    this.send({
      event: 'pusher:subscribe',
      data: { channel, auth, ...(data === undefined ? {} : { channel_data: data }) },
    });
  }

  /** Subscribes and waits for the success, which it answers parsed. */
  async subscribed(channel: string, channelData?: object | string): Promise<unknown> {
    this.subscribe(channel, channelData);
    const frame = await this.waitFor('pusher_internal:subscription_succeeded', channel);
    return JSON.parse(String(frame.data));
  }

  unsubscribe(channel: string): void {
    this.send({ event: 'pusher:unsubscribe', data: { channel } });
  }

  signin(userData: object | string): void {
    const text = typeof userData === 'string' ? userData : JSON.stringify(userData);
    const auth = `${this.key}:${this.hmac(`${this.socketId}::user::${text}`)}`;
    this.send({ event: 'pusher:signin', data: { auth, user_data: text } });
  }

  signChannel(channel: string, channelData?: string): string {
    const parts = [this.socketId, channel, ...(channelData === undefined ? [] : [channelData])];
    return `${this.key}:${this.hmac(parts.join(':'))}`;
  }

  hmac(text: string): string {
    return createHmac('sha256', this.secret).update(text).digest('hex');
  }

  async close(code = 1000): Promise<Closed> {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(code);
    return this.closed;
  }

  /** Ends the connection without a close frame. */
  terminate(): void {
    this.socket.terminate();
  }
}

/** Every client made since the last call of `closeClients`. */
const clients = new Set<TestClient>();

/** Opens a socket; nothing has been said yet. */
export async function open(target: Target, options: ConnectOptions = {}): Promise<TestClient> {
  const key = options.key ?? target.key;
  const query = options.query ?? 'protocol=7&client=spec&version=1.0';
  const path = options.path ?? `/app/${key}?${query}`;
  const scheme = options.secure === true ? 'wss' : 'ws';
  const socket = new WebSocket(`${scheme}://127.0.0.1:${target.port}${path}`, {
    perMessageDeflate: false,
    rejectUnauthorized: false,
    ...options.socket,
    ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
  });
  const client = new TestClient(socket, key, options.secret ?? target.secret);
  clients.add(client);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return client;
}

/** Opens a socket and waits for the handshake. */
export async function connect(target: Target, options: ConnectOptions = {}): Promise<TestClient> {
  const client = await open(target, options);
  const { event, data } = await client.next();
  if (event !== 'pusher:connection_established') throw new Error(`first frame was ${event}`);
  client.socketId = (JSON.parse(String(data)) as { socket_id: string }).socket_id;
  return client;
}

/** For `afterEach`: a failed spec leaves no socket behind. */
export function closeClients(): void {
  for (const client of clients) client.terminate();
  clients.clear();
}
