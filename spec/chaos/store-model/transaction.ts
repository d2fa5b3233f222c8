import { type ChannelState, emptyChannel, type PartitionState } from './partition-state.ts';

/** Which channel of which app; `key` is `<app>:<channel>`. */
export interface ChannelName {
  readonly app: string;
  readonly channel: string;
  readonly key: string;
}

export function channelName(app: string, channel: string): ChannelName {
  return { app, channel, key: `${app}:${channel}` };
}

/** A run of a script in a partition, at one moment. What it does to the state and says on topics happens as one. */
export class Transaction {
  readonly state: PartitionState;
  readonly nowMs: number;
  readonly publish: (topic: string, message: string) => void;
  readonly #headsRaised = new Map<string, number>();

  constructor(state: PartitionState, nowMs: number, publish: (topic: string, message: string) => void) {
    this.state = state;
    this.nowMs = nowMs;
    this.publish = publish;
  }

  /** Appends to the app's outbox; the fields are name and value in turn. */
  append(app: string, fields: readonly string[]): void {
    const outbox = this.state.outbox.get(app) ?? { head: 0, bytes: 0, trimmedBytes: 0, entries: [] };
    this.state.outbox.set(app, outbox);
    const values = fields.filter((_, index) => index % 2 === 1);
    outbox.head += 1;
    outbox.bytes += values.reduce((bytes, value) => bytes + Buffer.byteLength(value), 32);
    outbox.entries.push({ number: outbox.head, fields });
    this.#headsRaised.set(app, outbox.head);
  }

  /** At the end: tells the owner of the partition what was appended. */
  wakeOwner(): void {
    if (this.#headsRaised.size === 0) return;
    this.publish('wake', [...this.#headsRaised].map(([app, head]) => `${app} ${head}`).join(' '));
  }

  /** The channel as it is, unless it has expired. */
  channel({ key }: ChannelName): ChannelState | undefined {
    const channel = this.state.channels.get(key);
    if (channel?.expiresAtMs === undefined || this.nowMs < channel.expiresAtMs) return channel;
    this.state.channels.delete(key);
    return undefined;
  }

  channelOrNew(name: ChannelName): ChannelState {
    const existing = this.channel(name);
    if (existing !== undefined) return existing;
    const channel = emptyChannel();
    this.state.channels.set(name.key, channel);
    return channel;
  }

  /** The lowest score of what is due some day; 0: nothing is. */
  nextDeadlineMs(): number {
    const first = Math.min(...this.state.deadlines.values());
    return first === Infinity ? 0 : first;
  }
}
