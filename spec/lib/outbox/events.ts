import type {
  ClientEventTold,
  LifecycleEvent,
  LifecycleKind,
  OutboxEvent,
} from '../../../lib/outbox/outbox-event.ts';

const appId = 'app-1';

/** Makes the lifecycle events of channels, each with the next `seq`. */
export class Lifecycle {
  readonly #seqs = new Map<string, number>();
  readonly #epoch: string;

  constructor(epoch = 'e1') {
    this.#epoch = epoch;
  }

  event(kind: LifecycleKind, channel = 'x', userId?: string, atMs = 0): LifecycleEvent {
    const seq = (this.#seqs.get(channel) ?? 0) + 1;
    this.#seqs.set(channel, seq);
    const user = userId === undefined ? {} : { userId };
    const epoch = `${this.#epoch}-${channel}`;
    return { kind, id: `${epoch}-${seq}`, appId, channel, atMs, ...user, epoch, seq };
  }
}

export function clientEvent(data: string, channel = 'x', atMs = 0): ClientEventTold {
  const said = { event: 'client-said', data, socketId: '1.1' };
  return { kind: 'client_event', id: `client-${data}`, appId, channel, atMs, ...said };
}

export function cacheMiss(id: string, channel = 'x'): OutboxEvent {
  return { kind: 'cache_miss', id, appId, channel, atMs: 0 };
}

export function subscriptionCount(subscriptions: number, channel = 'x'): OutboxEvent {
  const id = `count-${subscriptions}`;
  return { kind: 'subscription_count', id, appId, channel, atMs: 0, subscriptionCount: subscriptions };
}
