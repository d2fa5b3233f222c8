import { createHmac } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Frame } from '../../support/client.ts';
import { apps, isPresence, type Seat } from './apps.ts';
import { SocketView } from './socket-view.ts';

const handshakeMs = 2_000;

/** A client without a library: it says what it is told to, and its view keeps what it hears. */
export class SwarmSocket {
  readonly seat: Seat;
  readonly view: SocketView;
  /** What it joins as soon as it is greeted. */
  readonly #wanted: Set<string>;
  readonly #socket: WebSocket;
  readonly #onGone: () => void;
  #socketId: string | undefined;
  #isOver = false;

  /** @param onGone The connection has ended, or never came about, without `close` or `cut`. */
  constructor(name: string, seat: Seat, port: number, wanted: readonly string[], onGone: () => void) {
    this.seat = seat;
    this.view = new SocketView(name, seat.app);
    this.#wanted = new Set(wanted);
    this.#onGone = onGone;
    const { key } = apps[seat.app];
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/app/${key}?protocol=7&client=rig&version=1.0`, {
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
    });
    this.#socket.on('message', (data: Buffer) => this.#hear(data.toString()));
    // `close` follows.
    this.#socket.on('error', () => this.#socket.terminate());
    this.#socket.on('close', () => this.#end());
  }

  /** Greeted by the server, and not over. */
  get isOpen(): boolean {
    return this.#socketId !== undefined && !this.#isOver;
  }

  /** Connecting still. */
  get isComing(): boolean {
    return this.#socketId === undefined && !this.#isOver;
  }

  /** Channels it is in, has asked for, or is going to. */
  get wanted(): ReadonlySet<string> {
    return this.#wanted;
  }

  join(channel: string): void {
    if (!this.isOpen || this.#wanted.has(channel)) return;
    this.#wanted.add(channel);
    this.#subscribe(channel);
  }

  /** From a channel whose subscription was answered. */
  leave(channel: string): void {
    if (!this.isOpen || !this.view.joined.includes(channel)) return;
    this.#wanted.delete(channel);
    this.view.unsubscribing(channel);
    this.#send({ event: 'pusher:unsubscribe', data: { channel } });
    this.#send({ event: 'pusher:ping', data: {} });
  }

  /** Says goodbye. */
  close(): void {
    this.#isOver = true;
    this.#socket.close(1000);
  }

  /** Is gone without a word. */
  cut(): void {
    this.#isOver = true;
    this.#socket.terminate();
  }

  #hear(raw: string): void {
    if (this.#isOver) return;
    const frame = { ...(JSON.parse(raw) as Omit<Frame, 'raw'>), raw };
    this.view.frame(frame);
    if (frame.event === 'pusher:ping') this.#send({ event: 'pusher:pong', data: {} });
    if (frame.event !== 'pusher:connection_established') return;
    this.#socketId = (JSON.parse(String(frame.data)) as { readonly socket_id: string }).socket_id;
    for (const channel of this.#wanted) this.#subscribe(channel);
  }

  #subscribe(channel: string): void {
    this.view.subscribing(channel);
    const { app, user } = this.seat;
    const data = isPresence(channel) ? JSON.stringify({ user_id: user, user_info: { app } }) : undefined;
    const needsAuth = data !== undefined || channel.startsWith('private-');
    const signed = [this.#socketId, channel, ...(data === undefined ? [] : [data])].join(':');
    const { key, secret } = apps[app];
    const auth = `${key}:${createHmac('sha256', secret).update(signed).digest('hex')}`;
    this.#send({
      event: 'pusher:subscribe',
      data: {
        channel,
        ...(needsAuth ? { auth } : {}),
        ...(data === undefined ? {} : { channel_data: data }),
      },
    });
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onGone();
  }
}
