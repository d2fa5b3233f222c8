import type { ArchivedDelivery, ArchivedEvent, ArchiveQuery } from '../archive.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import type { EndpointList } from './endpoint-list.ts';
import type { DeadLetter, LaneProgress, PartitionStore } from './partition-store.ts';

export interface PartitionArchiveOptions {
  readonly store: PartitionStore;
  readonly endpoints: EndpointList;
  readonly partition: number;
  readonly query: ArchiveQuery;
}

/** What one endpoint has of the events that are asked for. */
interface Progress extends LaneProgress {
  /** By event. */
  readonly recorded: ReadonlyMap<string, LaneProgress['batches'][number]>;
  readonly folded: ReadonlySet<string>;
  readonly dead: ReadonlyMap<string, DeadLetter>;
}

/** Items of a list, and entries of the stream, that are read in one step. */
const atOnce = 500;

/** The events of one app that one partition keeps, and how far each has come. */
export class PartitionArchive {
  readonly #options: PartitionArchiveOptions;

  constructor(options: PartitionArchiveOptions) {
    this.#options = options;
  }

  /** What is asked for and has a delivery that matches, oldest first. */
  async *archived(isMatch: (delivery: ArchivedDelivery) => boolean): AsyncIterable<ArchivedEvent> {
    const loose: OutboxEvent[] = [];
    const endpoints = await this.#progress(loose);
    loose.sort((a, b) => a.atMs - b.atMs);
    const seen = new Set<string>();
    for await (const { event, number } of inOrder(this.#entries(), loose)) {
      if (seen.has(event.id)) continue;
      seen.add(event.id);
      const deliveries = endpoints.flatMap((endpoint) => this.#deliveryTo(endpoint, event, number) ?? []);
      if (deliveries.some(isMatch)) yield { event, deliveries };
    }
  }

  /** How far each endpoint is; what is asked for and may be in no stream goes into `loose`. */
  async #progress(loose: OutboxEvent[]): Promise<readonly Progress[]> {
    const { store, partition, query } = this.#options;
    const lanes = await store.lanes(partition, query.appId);
    return Promise.all(
      lanes.map(async (lane) => {
        const of = { appId: query.appId, endpointId: lane.endpointId };
        const folded = await this.#asked(
          (offset) => store.folded(partition, of, offset, atOnce),
          (event) => event,
        );
        const dead = await this.#asked((offset) => store.deadLetters(partition, of, offset, atOnce), eventOf);
        const recorded = lane.batches.flatMap((batch) =>
          batch.events.filter((event) => this.#isAskedFor(event)).map((event) => ({ event, batch })),
        );
        for (const event of [...folded, ...dead.map(eventOf), ...recorded.map(eventOf)]) loose.push(event);
        return {
          ...lane,
          recorded: new Map(recorded.map(({ event, batch }) => [event.id, batch])),
          folded: new Set(folded.map(({ id }) => id)),
          dead: new Map(dead.map((letter) => [letter.event.id, letter])),
        };
      }),
    );
  }

  /** What is asked for of a list that is read page by page. */
  async #asked<T>(
    read: (offset: number) => Promise<readonly T[]>,
    toEvent: (item: T) => OutboxEvent,
  ): Promise<readonly T[]> {
    const found: T[] = [];
    for (let offset = 0; ; offset += atOnce) {
      const page = await read(offset);
      found.push(...page.filter((item) => this.#isAskedFor(toEvent(item))));
      if (page.length < atOnce) return found;
    }
  }

  async *#entries(): AsyncIterable<Found> {
    const { store, partition, query } = this.#options;
    for (let from = 0; ; ) {
      const page = await store.entries(partition, query.appId, from, atOnce);
      for (const entry of page) {
        if (this.#isAskedFor(entry.event)) yield entry;
        if (query.toMs !== undefined && entry.event.atMs > query.toMs) return;
        from = entry.number + 1;
      }
      if (page.length < atOnce) return;
    }
  }

  #deliveryTo(
    progress: Progress,
    event: OutboxEvent,
    number: number | undefined,
  ): ArchivedDelivery | undefined {
    const { endpointId, recorded, folded, dead, start, position } = progress;
    const batch = recorded.get(event.id);
    if (batch !== undefined) {
      const last = batch.lastFailure === undefined ? {} : { lastFailure: batch.lastFailure };
      return { endpointId, state: 'recorded', batchId: batch.id, failures: batch.failures, ...last };
    }
    const letter = dead.get(event.id);
    if (letter !== undefined) {
      const sent = letter.batchId === undefined ? {} : { batchId: letter.batchId };
      return { endpointId, state: 'dead', ...sent, failures: letter.failures, lastFailure: letter.reason };
    }
    if (!this.#options.endpoints.isFor(endpointId, event)) return undefined;
    if (folded.has(event.id)) return { endpointId, state: 'pending' };
    if (number === undefined || number <= start) return undefined;
    return { endpointId, state: number <= position ? 'delivered' : 'pending' };
  }

  #isAskedFor(event: OutboxEvent): boolean {
    const { id, channel, fromMs, toMs } = this.#options.query;
    return (
      (id === undefined || event.id === id) &&
      (channel === undefined || event.channel === channel) &&
      (fromMs === undefined || event.atMs >= fromMs) &&
      (toMs === undefined || event.atMs <= toMs)
    );
  }
}

interface Found {
  readonly event: OutboxEvent;
  /** Where it stands in the stream, if it is there. */
  readonly number: number | undefined;
}

function eventOf({ event }: { readonly event: OutboxEvent }): OutboxEvent {
  return event;
}

/** Merges by time; of equals the entries first, so an event of the stream is seen with its number. */
async function* inOrder(entries: AsyncIterable<Found>, loose: readonly OutboxEvent[]): AsyncIterable<Found> {
  let next = 0;
  for await (const entry of entries) {
    for (; next < loose.length; next++) {
      const event = loose[next];
      if (event === undefined || event.atMs >= entry.event.atMs) break;
      yield { event, number: undefined };
    }
    yield entry;
  }
  for (const event of loose.slice(next)) yield { event, number: undefined };
}
