import type { Clock } from '../../flow/clock.ts';
import type { Archive, ArchivedDelivery, ArchivedEvent, ArchiveQuery, Backlog } from '../archive.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import { partitionOf } from '../../cluster/partition.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { LaneStore } from './lane-store.ts';
import { PartitionArchive } from './partition-archive.ts';
import type { PartitionBacklog, PartitionStore } from './partition-store.ts';

/** Events that wait on a replay lane at most. */
const maxReplays = 10_000;

export interface RedisArchiveOptions {
  readonly lanes: LaneStore;
  readonly partitions: PartitionStore;
  readonly endpoints: EndpointList;
  readonly count: number;
  readonly clock: Clock;
}

/** What was and what waits, read from every partition, whoever owns it. */
export class RedisArchive implements Archive {
  readonly #options: RedisArchiveOptions;

  constructor(options: RedisArchiveOptions) {
    this.#options = options;
  }

  async backlogs(): Promise<readonly Backlog[]> {
    const { partitions, count } = this.#options;
    const all = await Promise.all(partitionsUpTo(count).map((partition) => partitions.backlogs(partition)));
    const sums = new Map<string, Backlog>();
    for (const one of all.flat()) {
      const name = `${one.appId} ${one.endpointId}`;
      sums.set(name, sumOf(sums.get(name), one));
    }
    return [...sums.values()];
  }

  async list(query: ArchiveQuery, limit: number): Promise<readonly ArchivedEvent[]> {
    const found: ArchivedEvent[] = [];
    if (limit <= 0) return found;
    for await (const archived of this.#archived(query)) if (found.push(archived) === limit) break;
    return found;
  }

  /** What waits to be sent for the first time is not sent again. */
  async replay(query: ArchiveQuery, limit: number): Promise<number> {
    const asked = new Map<string, OutboxEvent[]>();
    let left = limit;
    for await (const { event, deliveries } of this.#archived(query)) {
      for (const { endpointId } of deliveries.filter((delivery) => this.#isSent(delivery, query))) {
        if (left-- <= 0) break;
        asked.set(endpointId, [...(asked.get(endpointId) ?? []), event]);
      }
      if (left <= 0) break;
    }
    const accepted = await Promise.all(
      Array.from(asked, ([endpointId, events]) => this.#putOnLane(query.appId, endpointId, events)),
    );
    return accepted.reduce((sum, one) => sum + one, 0);
  }

  #putOnLane(appId: string, endpointId: string, events: readonly OutboxEvent[]): Promise<number> {
    const { lanes, clock } = this.#options;
    return lanes.replay({ appId, endpointId, partition: 'replay' }, maxReplays, events, clock.now());
  }

  /** To an endpoint that is open, or could not be. */
  #isSent(delivery: ArchivedDelivery, query: ArchiveQuery): boolean {
    const isSent = delivery.state === 'delivered' || delivery.state === 'dead';
    return (
      isSent && this.#options.endpoints.isOpen(query.appId, delivery.endpointId) && isMatch(delivery, query)
    );
  }

  /** Everything that answers to the query, oldest first. */
  async *#archived(query: ArchiveQuery): AsyncIterable<ArchivedEvent> {
    const { partitions, endpoints, count } = this.#options;
    const { appId, channel } = query;
    const places = channel === undefined ? partitionsUpTo(count) : [partitionOf(appId, channel, count)];
    const sources = places.map((partition) =>
      new PartitionArchive({ store: partitions, endpoints, partition, query })
        .archived((delivery) => isMatch(delivery, query))
        [Symbol.asyncIterator](),
    );
    const heads = await Promise.all(sources.map((source) => source.next()));
    for (;;) {
      const first = oldestOf(heads);
      if (first === undefined) return;
      yield first.archived;
      const source = sources[first.index];
      if (source !== undefined) heads[first.index] = await source.next();
    }
  }
}

function oldestOf(
  heads: readonly IteratorResult<ArchivedEvent>[],
): { readonly index: number; readonly archived: ArchivedEvent } | undefined {
  let first: { readonly index: number; readonly archived: ArchivedEvent } | undefined;
  for (const [index, head] of heads.entries()) {
    if (head.done === true) continue;
    if (first === undefined || head.value.event.atMs < first.archived.event.atMs) {
      first = { index, archived: head.value };
    }
  }
  return first;
}

function partitionsUpTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, partition) => partition);
}

function isMatch(delivery: ArchivedDelivery, { endpointId, state }: ArchiveQuery): boolean {
  return (
    (endpointId === undefined || delivery.endpointId === endpointId) &&
    (state === undefined || delivery.state === state)
  );
}

function sumOf(sum: Backlog | undefined, one: PartitionBacklog): Backlog {
  const oldest = [sum?.oldestAtMs, one.oldestAtMs].filter((atMs) => atMs !== undefined);
  return {
    appId: one.appId,
    endpointId: one.endpointId,
    isOpen: one.closedAtMs === undefined,
    events: (sum?.events ?? 0) + one.pending + one.recorded,
    bytes: (sum?.bytes ?? 0) + one.bytes,
    oldestAtMs: oldest.length === 0 ? undefined : Math.min(...oldest),
    deadLetters: (sum?.deadLetters ?? 0) + one.deadLetters,
    coalesced: (sum?.coalesced ?? 0) + one.leftOut,
  };
}
