import { createHmac } from 'node:crypto';
import type { Client } from '../../pipelines/running-node.ts';
import type { Frame } from '../../support/client.ts';
import { apps, isPresence, type Seat } from '../cluster/apps.ts';
import { SocketView } from '../cluster/socket-view.ts';
import type { SimNode } from './sim-node.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A client of a node in virtual time: it says what it is told to, and its view keeps what it hears. */
export class SimSocket {
  readonly seat: Seat;
  readonly node: SimNode;
  readonly view: SocketView;
  /** Channels it is in, has asked for, or is going to. */
  readonly wanted: Set<string>;
  readonly #clock: VirtualClock;
  #client: Client | undefined;
  #socketId: string | undefined;
  #isOver = false;

  constructor(name: string, seat: Seat, node: SimNode, wanted: Iterable<string>, clock: VirtualClock) {
    this.seat = seat;
    this.node = node;
    this.view = new SocketView(name, seat.app);
    this.wanted = new Set(wanted);
    this.#clock = clock;
    clock.post(node.process, () => this.#connect());
  }

  /** Greeted by a node that lives, and not over. */
  get isOpen(): boolean {
    return this.#socketId !== undefined && !this.#hasEnded();
  }

  get hasEnded(): boolean {
    return this.#hasEnded();
  }

  /** The codes with which the node closed it, a stop of the node aside. */
  get closeCodes(): readonly number[] {
    const closes = this.#client?.transport.closes ?? [];
    return closes.map(([code]) => code).filter((code) => !(code === 4200 && this.node.isStopping));
  }

  join(channel: string): void {
    if (this.#hasEnded() || this.wanted.has(channel)) return;
    this.wanted.add(channel);
    if (this.#socketId !== undefined) this.#subscribe(channel);
  }

  /** From a channel whose subscription was answered. */
  leave(channel: string): void {
    if (!this.isOpen || !this.view.joined.includes(channel)) return;
    this.wanted.delete(channel);
    this.view.unsubscribing(channel);
    this.#send({ event: 'pusher:unsubscribe', data: { channel } });
    this.#send({ event: 'pusher:ping', data: {} });
  }

  /** @param code 1006: it is gone without a word. */
  end(code: 1000 | 1006): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const client = this.#client;
    if (client === undefined) return;
    this.#clock.post(this.node.process, () => {
      const { transport } = client;
      if (!transport.isOpen) return;
      if (transport.connection === undefined) transport.isOpen = false;
      else this.node.close(client, code);
    });
  }

  #connect(): void {
    if (this.#isOver) return;
    const client = this.node.open(apps[this.seat.app].key);
    this.#client = client;
    client.transport.onWrite = (texts) => {
      for (const raw of texts) this.#hear(raw);
    };
    for (const raw of client.transport.frames) this.#hear(raw);
  }

  #hear(raw: string): void {
    if (this.#isOver || this.node.process.isDead) return;
    const frame = { ...(JSON.parse(raw) as Omit<Frame, 'raw'>), raw };
    this.view.frame(frame);
    if (frame.event !== 'pusher:connection_established') return;
    this.#socketId = (JSON.parse(String(frame.data)) as { readonly socket_id: string }).socket_id;
    for (const channel of this.wanted) this.#subscribe(channel);
  }

  #subscribe(channel: string): void {
    this.view.subscribing(channel);
    const { app, user } = this.seat;
    const data = isPresence(channel) ? JSON.stringify({ user_id: user, user_info: { app } }) : undefined;
    const needsAuth = data !== undefined || channel.startsWith('private-');
    const signed = [this.#socketId, channel, ...(data === undefined ? [] : [data])].join(':');
    const { key, secret } = apps[app];
    const auth = needsAuth
      ? `${key}:${createHmac('sha256', secret).update(signed).digest('hex')}`
      : undefined;
    this.#send({ event: 'pusher:subscribe', data: { channel, auth, channel_data: data } });
  }

  #send(message: object): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#clock.post(this.node.process, () => {
      if (client.transport.isOpen) client.send(message);
    });
  }

  #hasEnded(): boolean {
    return this.#isOver || this.node.process.isDead || this.#client?.transport.isOpen === false;
  }
}
