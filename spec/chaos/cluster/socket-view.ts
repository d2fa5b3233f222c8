import type { Frame } from '../../support/client.ts';
import type { AppName } from './apps.ts';

/** What a message of the trial says of itself. */
export interface Tick {
  readonly app: string;
  readonly channel: string;
  /** Who published it: one process of a node. */
  readonly from: string;
  /** Counted by that publisher; a channel may miss some. */
  readonly n: number;
}

interface Subscription {
  phase: 'asked' | 'in' | 'left';
  readonly members: Set<string>;
  /** By publisher, the last message heard. */
  readonly heard: Map<string, number>;
  /** As last told; undefined: not yet. */
  count: number | undefined;
  /** Frames of a former subscription may come until the answer to the ping of that number. */
  tailUntilPong: number;
}

const journalLength = 60;

/**
 * What one socket was told, folded as a client library would, and everything in it that a client must never see. The one
 * who drives the socket says what it asked for; behind each unsubscribe it sends a ping, whose answer is the server's word
 * that it has handled what came before.
 */
export class SocketView {
  readonly name: string;
  readonly problems: string[] = [];
  readonly #app: AppName;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #journal: string[] = [];
  #pings = 0;
  #pongs = 0;

  constructor(name: string, app: AppName) {
    this.name = name;
    this.#app = app;
  }

  /** The last of what it asked and was told, oldest first. */
  get journal(): readonly string[] {
    return this.#journal;
  }

  /** Channels it is subscribed to. */
  get joined(): readonly string[] {
    return this.#inPhase('in');
  }

  /** Channels it asked for without an answer yet. */
  get asked(): readonly string[] {
    return this.#inPhase('asked');
  }

  /** Those present in the channel, in order of their ids, as it was told. */
  membersOf(channel: string): readonly string[] {
    return [...(this.#subscriptions.get(channel)?.members ?? [])].sort();
  }

  countOf(channel: string): number | undefined {
    return this.#subscriptions.get(channel)?.count;
  }

  hasHeard(channel: string, from: string, n: number): boolean {
    return this.#subscriptions.get(channel)?.heard.get(from) === n;
  }

  subscribing(channel: string): void {
    this.#note(`> subscribe ${channel}`);
    this.#subscriptions.set(channel, {
      phase: 'asked',
      members: new Set(),
      heard: new Map(),
      count: undefined,
      tailUntilPong: this.#subscriptions.get(channel)?.tailUntilPong ?? 0,
    });
  }

  /** A ping follows. */
  unsubscribing(channel: string): void {
    this.#note(`> unsubscribe ${channel}`);
    this.#pings += 1;
    const subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) return;
    subscription.phase = 'left';
    subscription.tailUntilPong = this.#pings;
  }

  frame(frame: Frame): void {
    this.#note(`< ${frame.raw}`);
    const { event, channel } = frame;
    if (isGoodbye(frame)) return;
    if (event === 'pusher:pong') this.#pongs += 1;
    else if (event === 'pusher:error' || event === 'pusher:subscription_error')
      this.#object(frame, 'an error');
    else if (channel !== undefined) this.#channelFrame(frame, channel);
  }

  #channelFrame(frame: Frame, channel: string): void {
    const subscription = this.#subscriptions.get(channel);
    if (frame.event === 'pusher_internal:subscription_succeeded') {
      if (subscription?.phase === 'asked') this.#succeed(subscription, frame);
      else this.#object(frame, 'nobody asked for it');
      return;
    }
    if (subscription?.phase === 'in') {
      this.#subscribedFrame(subscription, frame, channel);
      return;
    }
    if (subscription !== undefined && this.#pongs < subscription.tailUntilPong) return;
    this.#object(frame, 'the socket is not subscribed');
  }

  #succeed(subscription: Subscription, { data }: Frame): void {
    const { presence } = parsed(data) as { readonly presence?: { readonly ids: readonly string[] } };
    subscription.phase = 'in';
    subscription.tailUntilPong = 0;
    for (const user of presence?.ids ?? []) subscription.members.add(user);
  }

  #subscribedFrame(subscription: Subscription, frame: Frame, channel: string): void {
    const { members, heard } = subscription;
    switch (frame.event) {
      case 'pusher_internal:member_added': {
        const { user_id: user } = parsed(frame.data) as { readonly user_id: string };
        if (members.has(user)) this.#object(frame, 'added twice');
        if (!user.startsWith(`${this.#app}-`)) this.#object(frame, 'a user of another app');
        members.add(user);
        return;
      }
      case 'pusher_internal:member_removed': {
        const { user_id: user } = parsed(frame.data) as { readonly user_id: string };
        if (!members.delete(user)) this.#object(frame, 'removed without being there');
        return;
      }
      case 'pusher_internal:subscription_count': {
        const { subscription_count: count } = parsed(frame.data) as { readonly subscription_count: number };
        subscription.count = count;
        return;
      }
      default:
        this.#hear(heard, frame, channel);
    }
  }

  #hear(heard: Map<string, number>, frame: Frame, channel: string): void {
    const tick = parsed(frame.data) as Tick;
    if (tick.app !== this.#app) this.#object(frame, 'a message of another app');
    if (tick.channel !== channel) this.#object(frame, 'a message of another channel');
    const last = heard.get(tick.from) ?? 0;
    if (tick.n <= last) this.#object(frame, `heard behind message ${last} of the same publisher`);
    heard.set(tick.from, Math.max(last, tick.n));
  }

  #inPhase(phase: Subscription['phase']): readonly string[] {
    return [...this.#subscriptions].filter(([, one]) => one.phase === phase).map(([channel]) => channel);
  }

  #object({ raw }: Frame, why: string): void {
    this.problems.push(`${this.name}: ${why}: ${raw}; before it: ${this.#journal.slice(-8, -1).join(' ')}`);
  }

  #note(text: string): void {
    this.#journal.push(text);
    if (this.#journal.length > journalLength) this.#journal.shift();
  }
}

/** A server that stops says so before it closes. */
function isGoodbye({ event, data }: Frame): boolean {
  return event === 'pusher:error' && (parsed(data) as { readonly code?: unknown }).code === 4200;
}

/** Data comes as JSON text, or as it is. */
function parsed(data: unknown): unknown {
  return typeof data === 'string' ? JSON.parse(data) : data;
}
