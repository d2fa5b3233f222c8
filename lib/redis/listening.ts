import type { Redis } from 'ioredis';
import { confirmation, type Ear, end, type Entry, release, type Session, untilReady } from './ear.ts';
import type { Places } from './places.ts';
import { toStoreError } from './store-errors.ts';
import type { Topic, TopicMessage } from './store-link.ts';

/** Channels in one SUBSCRIBE. */
const perCall = 500;

/** Heard nothing for so long: a ping asks whether the connection still works. */
const quietMs = 5000;

interface ListeningOptions {
  readonly isSharded: boolean;
  readonly places: Pick<Places, 'channelOf' | 'nodeOf' | 'nodes'>;
  readonly connect: (node: string) => Redis;
  readonly onMessage: (message: TopicMessage) => void;
  readonly onGap: () => void;
  /** A connection, or an order on it, failed. */
  readonly onLost: (error: Error) => void;
  readonly onReconnect: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * What is listened to, over the lives of the connections: one connection, on a Cluster one for each master. Orders are
 * gathered for a turn of the event loop. What counts for a topic is the last word sent about it, so `unlisten` and `listen` in
 * any order end as called.
 */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #ears = new Map<string, Ear>();
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<Entry>();
  #isFlushing = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  get topics(): number {
    return this.#entries.size;
  }

  /** Every connection is there and everything that was listened to is again. */
  get isWhole(): boolean {
    const ears = [...this.#ears.values()];
    return ears.length > 0 && ears.every(({ session }) => session?.restoring.size === 0);
  }

  listen(topics: readonly Topic[]): Promise<void> {
    const entries = topics.map((topic) => this.#wanted(topic));
    return Promise.all(entries.map(confirmation)).then(() => undefined);
  }

  unlisten(topics: readonly Topic[]): void {
    for (const topic of topics) {
      const entry = this.#entries.get(this.#options.places.channelOf(topic));
      if (entry === undefined) continue;
      entry.isWanted = false;
      release(entry);
      this.#change(entry);
    }
  }

  /** Makes connections for new nodes, ends those of nodes that left, moves topics after their partition. */
  follow(): void {
    const nodes = this.#options.places.nodes();
    for (const [node, ear] of this.#ears) {
      if (nodes.includes(node)) continue;
      this.#ears.delete(node);
      end(ear);
    }
    for (const node of nodes) if (!this.#ears.has(node)) this.#ears.set(node, this.#earTo(node));
    for (const ear of this.#ears.values()) this.#leaveMoved(ear);
    for (const entry of this.#entries.values()) {
      const session = this.#earOf(entry)?.session;
      if (session === undefined || entry.sentIn === session) continue;
      if (entry.sentIn !== undefined) {
        entry.isConfirmed = false;
        session.isAfterGap = true;
        session.restoring.add(entry);
      }
      this.#change(entry);
    }
  }

  /** Fulfilled when every connection was made. */
  async opened(): Promise<void> {
    await Promise.all([...this.#ears.values()].map(({ redis }) => untilReady(redis)));
  }

  /** Fulfilled when every connection answers and nothing is left to restore. */
  async check(): Promise<void> {
    for (const { redis } of this.#ears.values()) {
      if (redis.status === 'end') redis.connect().catch(this.#options.onError);
    }
    await Promise.all([...this.#ears.values()].map((ear) => this.#ask(ear)));
    this.#flush();
    if (!this.isWhole) throw new Error('not everything is listened to yet');
  }

  /** Asks connections that were quiet for long, unless they were asked already. */
  checkQuiet(): void {
    const now = performance.now();
    for (const ear of this.#ears.values()) {
      if (ear.isAsked || ear.session === undefined || now - ear.lastHeardAtMs < quietMs) continue;
      void Promise.allSettled([this.#ask(ear)]);
    }
  }

  /** Connects anew: to where the topics are now. */
  reconnect(): void {
    for (const { redis } of this.#ears.values()) if (redis.status === 'ready') redis.disconnect(true);
  }

  close(): void {
    for (const ear of this.#ears.values()) end(ear);
    this.#ears.clear();
    for (const entry of this.#entries.values()) release(entry);
    this.#entries.clear();
    this.#changed.clear();
  }

  /** What has another place now is not restored here. */
  #leaveMoved(ear: Ear): void {
    const { session } = ear;
    if (session === undefined) return;
    for (const entry of session.restoring) if (this.#earOf(entry) !== ear) session.restoring.delete(entry);
    this.#tellGap(session);
  }

  #wanted(topic: Topic): Entry {
    const channel = this.#options.places.channelOf(topic);
    const known = this.#entries.get(channel);
    if (known !== undefined) {
      known.isWanted = true;
      return known;
    }
    const entry = { topic, channel, isWanted: true, sentIn: undefined, isConfirmed: false, waiters: [] };
    this.#entries.set(channel, entry);
    this.#change(entry);
    return entry;
  }

  #change(entry: Entry): void {
    this.#changed.add(entry);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    const orders = new Map<string, { ear: Ear; verb: 'listen' | 'unlisten'; entries: Entry[] }>();
    for (const entry of this.#changed) {
      const node = this.#options.places.nodeOf(entry.topic.partition);
      const ear = node === undefined ? undefined : this.#ears.get(node);
      const isSent = entry.sentIn !== undefined && entry.sentIn === ear?.session;
      if (!entry.isWanted) this.#forget(entry);
      if (ear?.session === undefined || entry.isWanted === isSent) continue;
      const verb = entry.isWanted ? 'listen' : 'unlisten';
      const group = `${verb} ${this.#options.isSharded ? entry.topic.partition : ''}`;
      const order = orders.get(group) ?? { ear, verb, entries: [] };
      orders.set(group, order);
      order.entries.push(entry);
    }
    this.#changed.clear();
    for (const { ear, verb, entries } of orders.values()) {
      for (let at = 0; at < entries.length; at += perCall) {
        void this.#order(ear, verb, entries.slice(at, at + perCall));
      }
    }
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.channel);
    for (const { session } of this.#ears.values()) {
      if (session?.restoring.delete(entry) === true) this.#tellGap(session);
    }
  }

  async #order(ear: Ear, verb: 'listen' | 'unlisten', entries: readonly Entry[]): Promise<void> {
    const { session, redis } = ear;
    if (session === undefined) return;
    if (verb === 'listen') for (const entry of entries) entry.sentIn = session;
    const command = `${this.#options.isSharded ? 's' : ''}${verb === 'listen' ? 'subscribe' : 'unsubscribe'}`;
    try {
      await redis.call(command, ...entries.map(({ channel }) => channel));
    } catch (error) {
      if (ear.session !== session) return;
      this.#refused(session, entries, toStoreError(error));
      // A new connection hears nothing that was left.
      if (verb === 'unlisten' && redis.status === 'ready') redis.disconnect(true);
      return;
    }
    ear.lastHeardAtMs = performance.now();
    if (verb === 'listen' && ear.session === session) this.#confirmed(session, entries);
  }

  #confirmed(session: Session, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.sentIn !== session || !entry.isWanted) continue;
      entry.isConfirmed = true;
      session.restoring.delete(entry);
      release(entry);
    }
    this.#tellGap(session);
  }

  /** Said again when the link tries whether it works: until then it is down. */
  #refused(session: Session, entries: readonly Entry[], error: Error): void {
    for (const entry of entries) {
      if (!entry.isWanted || entry.sentIn !== session) continue;
      entry.sentIn = undefined;
      entry.isConfirmed = false;
      this.#changed.add(entry);
      if (this.#earOf(entry)?.session === session) session.restoring.add(entry);
    }
    this.#options.onLost(error);
  }

  #tellGap(session: Session): void {
    if (session.restoring.size > 0) return;
    if (session.isAfterGap) {
      session.isAfterGap = false;
      this.#options.onGap();
    }
  }

  #earOf({ topic }: Entry): Ear | undefined {
    const node = this.#options.places.nodeOf(topic.partition);
    return node === undefined ? undefined : this.#ears.get(node);
  }

  #earTo(node: string): Ear {
    const redis = this.#options.connect(node);
    const ear: Ear = { redis, session: undefined, hasListened: false, lastHeardAtMs: 0, isAsked: false };
    redis.on('error', this.#options.onError);
    redis.on('ready', () => this.#begin(ear));
    redis.on('close', () => {
      if (ear.session === undefined) return;
      ear.session = undefined;
      this.#options.onLost(new Error('the connection for listening was lost'));
    });
    redis.on(this.#options.isSharded ? 'smessage' : 'message', (channel: string, message: string) => {
      ear.lastHeardAtMs = performance.now();
      const entry = this.#entries.get(channel);
      if (entry?.isWanted === true) this.#options.onMessage({ ...entry.topic, message });
    });
    redis.connect().catch(this.#options.onError);
    return ear;
  }

  #begin(ear: Ear): void {
    const mine = [...this.#entries.values()].filter((entry) => entry.isWanted && this.#earOf(entry) === ear);
    const session = {
      restoring: new Set(mine),
      isAfterGap: ear.hasListened || mine.some(({ isConfirmed }) => isConfirmed),
    };
    for (const entry of mine) {
      entry.isConfirmed = false;
      this.#changed.add(entry);
    }
    if (ear.hasListened) this.#options.onReconnect();
    Object.assign(ear, { session, hasListened: true, lastHeardAtMs: performance.now() });
    this.#flush();
    this.#tellGap(session);
  }

  async #ask(ear: Ear): Promise<void> {
    const { session } = ear;
    ear.isAsked = true;
    try {
      await ear.redis.ping();
      ear.lastHeardAtMs = performance.now();
    } catch (error) {
      if (ear.session === session && ear.redis.status === 'ready') ear.redis.disconnect(true);
      const lost = toStoreError(error);
      this.#options.onLost(lost);
      throw lost;
    } finally {
      ear.isAsked = false;
    }
  }
}
