import type { Group, GroupSource } from '../../cluster/group-source.ts';
import type { NewOutboxEvent } from '../outbox-event.ts';
import { partitionOf } from '../../cluster/partition.ts';

export interface EventAppenderOptions {
  readonly partitions: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly newId: () => string;
  /** Whether anybody is told of the app's events. */
  readonly isToldTo: (appId: string) => boolean;
  readonly poke: (partition: number) => void;
  /** An event had to make room for later ones. */
  readonly onDropped: (appId: string) => void;
  /** The node begins anew in the partition: its endpoints have to be listed again, and then `release`d. */
  readonly onBegunAnew: (partition: number) => void;
  /** The store has lost something of the partition, its endpoints perhaps. */
  readonly onLost: (partition: number) => void;
}

interface Waiting {
  readonly appId: string;
  readonly partition: number;
  readonly args: readonly string[];
  readonly bytes: number;
  /** Whoever waits for it goes on. */
  done: (() => void) | undefined;
}

/** The object and its places in queues. */
const overheadBytes = 256;

/**
 * Client events and cache misses on their way into the outbox. What the store has not applied waits here, capped, the oldest
 * out; while the store is away nobody waits for it.
 */
export class EventAppender implements GroupSource {
  readonly #options: EventAppenderOptions;
  readonly #queues: readonly Set<Waiting>[];
  /** Taken, and not answered yet. */
  readonly #sent = new Set<Waiting>();
  /** Of all partitions, in order. */
  readonly #queued = new Set<Waiting>();
  /** Partitions whose endpoints the store does not know: it would not keep the events. */
  readonly #held = new Set<number>();
  #bytes = 0;
  #isAway = false;

  constructor(options: EventAppenderOptions) {
    this.#options = options;
    this.#queues = Array.from({ length: options.partitions }, () => new Set());
  }

  /** Events that wait to be taken. */
  get events(): number {
    return this.#queued.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Fulfilled when the store has them; at once while it is away, and when they are dropped. */
  append(events: readonly NewOutboxEvent[]): Promise<void> {
    const told = events.filter(({ appId }) => this.#options.isToldTo(appId));
    const applied = told.map((event) => new Promise<void>((resolve) => this.#add(event, resolve)));
    this.#shed();
    for (const partition of new Set(told.map((event) => this.#partitionOf(event))))
      this.#options.poke(partition);
    return Promise.all(applied).then(() => undefined);
  }

  take(partition: number, room: number): readonly Group[] {
    const groups: Group[] = [];
    if (this.#held.has(partition)) return groups;
    for (const waiting of this.#queues[partition] ?? []) {
      if (groups.length >= room) break;
      this.#unqueue(waiting);
      this.#sent.add(waiting);
      groups.push({ args: waiting.args, changes: 1, answered: () => this.#applied(waiting) });
    }
    return groups;
  }

  waiting(partition: number): { readonly changes: number; readonly isUrgent: boolean } {
    const changes = this.#held.has(partition) ? 0 : (this.#queues[partition]?.size ?? 0);
    return { changes, isUrgent: changes > 0 };
  }

  away(): void {
    this.#isAway = true;
    for (const waiting of this.#queued) letGo(waiting);
    for (const waiting of this.#sent) letGo(waiting);
  }

  returned(): void {
    this.#isAway = false;
  }

  /** What was taken is the writer's, which writes it again. */
  assertAll(partition: number): void {
    this.#held.add(partition);
    this.#options.onBegunAnew(partition);
  }

  lost(partition: number): void {
    this.#options.onLost(partition);
  }

  /** The store knows the partition's endpoints again. */
  release(partition: number): void {
    if (this.#held.delete(partition)) this.#options.poke(partition);
  }

  #add(event: NewOutboxEvent, done: () => void): void {
    const { kind, appId, channel, ...rest } = event;
    const json = JSON.stringify({ id: this.#options.newId(), ...rest });
    const waiting: Waiting = {
      appId,
      partition: this.#partitionOf(event),
      args: ['e', appId, channel, kind, json],
      bytes: overheadBytes + 2 * (channel.length + json.length),
      done,
    };
    this.#queues[waiting.partition]?.add(waiting);
    this.#queued.add(waiting);
    this.#bytes += waiting.bytes;
    if (this.#isAway) letGo(waiting);
  }

  #shed(): void {
    const { maxEvents, maxBytes, onDropped } = this.#options;
    for (const oldest of this.#queued) {
      if (this.#queued.size <= maxEvents && this.#bytes <= maxBytes) return;
      this.#unqueue(oldest);
      letGo(oldest);
      onDropped(oldest.appId);
    }
  }

  #applied(waiting: Waiting): void {
    this.#sent.delete(waiting);
    letGo(waiting);
  }

  #unqueue(waiting: Waiting): void {
    this.#queues[waiting.partition]?.delete(waiting);
    this.#queued.delete(waiting);
    this.#bytes -= waiting.bytes;
  }

  #partitionOf({ appId, channel }: NewOutboxEvent): number {
    return partitionOf(appId, channel, this.#options.partitions);
  }
}

function letGo(waiting: Waiting): void {
  waiting.done?.();
  waiting.done = undefined;
}
