import { type AppOutbox, isFor } from './app-outbox.ts';
import type { ArchivedDelivery, ArchivedEvent, ArchiveQuery, Backlog } from './archive.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { EventLog } from './event-log.ts';
import type { RecordedBatch } from './outbox.ts';
import type { OutboxEvent } from './outbox-event.ts';
import { partitionOf } from './partition.ts';

export function backlogOf(appId: string, endpoint: EndpointState): Backlog {
  return {
    appId,
    endpointId: endpoint.id,
    isOpen: endpoint.isOpen,
    events: endpoint.undelivered,
    bytes: endpoint.bytes,
    oldestAtMs: endpoint.oldestAtMs,
    deadLetters: endpoint.deadLetters.size,
    coalesced: endpoint.coalesced,
  };
}

/** Everything of an app that is kept and answers to the query, oldest first. */
export function* archived(app: AppOutbox, query: ArchiveQuery): Iterable<ArchivedEvent> {
  const recorded = recordedIn(app);
  const seen = new Set<string>();
  for (const { event, index } of inOrder(sourcesOf(app))) {
    if (!isAskedFor(event, query) || seen.has(event.id)) continue;
    seen.add(event.id);
    const deliveries = [...app.endpoints].flatMap(
      (endpoint) => deliveryTo(app, endpoint, event, index, recorded) ?? [],
    );
    if (deliveries.some((delivery) => isMatch(delivery, query))) yield { event, deliveries };
  }
}

/** What open endpoints were sent, or could not be: what waits to be sent first is not sent again. */
export function* sentBefore(
  app: AppOutbox,
  query: ArchiveQuery,
): Iterable<{ readonly endpoint: EndpointState; readonly event: OutboxEvent }> {
  for (const { event, deliveries } of archived(app, query)) {
    for (const delivery of deliveries) {
      const endpoint = app.endpoint(delivery.endpointId);
      const isSent = delivery.state === 'delivered' || delivery.state === 'dead';
      if (isSent && endpoint?.isOpen === true && isMatch(delivery, query)) yield { endpoint, event };
    }
  }
}

function isMatch(delivery: ArchivedDelivery, { endpointId, state }: ArchiveQuery): boolean {
  return (
    (endpointId === undefined || delivery.endpointId === endpointId) &&
    (state === undefined || delivery.state === state)
  );
}

interface Found {
  readonly event: OutboxEvent;
  /** Where it stands in its log, if it is there. */
  readonly index: number | undefined;
}

type Recorded = ReadonlyMap<EndpointState, ReadonlyMap<string, RecordedBatch>>;

function recordedIn(app: AppOutbox): Recorded {
  return new Map(
    Array.from(app.endpoints, (endpoint) => {
      const batches = endpoint.lanes.flatMap((lane) => lane.batches.all);
      return [endpoint, new Map(batches.flatMap((batch) => batch.events.map(({ id }) => [id, batch])))];
    }),
  );
}

function isAskedFor(event: OutboxEvent, { id, channel, fromMs, toMs }: ArchiveQuery): boolean {
  return (
    (id === undefined || event.id === id) &&
    (channel === undefined || event.channel === channel) &&
    (fromMs === undefined || event.atMs >= fromMs) &&
    (toMs === undefined || event.atMs <= toMs)
  );
}

function deliveryTo(
  app: AppOutbox,
  endpoint: EndpointState,
  event: OutboxEvent,
  index: number | undefined,
  recorded: Recorded,
): ArchivedDelivery | undefined {
  const endpointId = endpoint.id;
  const batch = recorded.get(endpoint)?.get(event.id);
  if (batch !== undefined) {
    const last = batch.lastFailure === undefined ? {} : { lastFailure: batch.lastFailure };
    return { endpointId, state: 'recorded', batchId: batch.id, failures: batch.failures, ...last };
  }
  const letter = endpoint.deadLetters.get(event.id);
  if (letter !== undefined) {
    const sent = letter.batchId === undefined ? {} : { batchId: letter.batchId };
    return { endpointId, state: 'dead', ...sent, failures: letter.failures, lastFailure: letter.reason };
  }
  if (!isFor(endpoint, event)) return undefined;
  const lane = endpoint.lanes[partitionOf(event.appId, event.channel, app.logs.length)];
  if (lane === undefined) return undefined;
  if (lane.fold.has(event.id)) return { endpointId, state: 'pending' };
  if (index === undefined || index < lane.startedAt) return undefined;
  return { endpointId, state: index < lane.position ? 'delivered' : 'pending' };
}

/** Where events are kept: each source is in order of time. */
function sourcesOf(app: AppOutbox): readonly Iterable<Found>[] {
  const endpoints = [...app.endpoints];
  const folds = endpoints.flatMap(({ lanes }) => lanes.map(({ fold }) => fold.events()));
  const loose = endpoints.flatMap(({ lanes, deadLetters }) => [
    ...lanes.flatMap(({ batches }) => batches.events),
    ...Array.from(deadLetters.all, ({ event }) => event),
  ]);
  loose.sort((a, b) => a.atMs - b.atMs);
  return [...app.logs.map(entriesOf), ...[...folds, loose].map(unindexed)];
}

function* entriesOf(log: EventLog): Iterable<Found> {
  for (let index = log.first; index < log.end; index++) {
    const event = log.at(index);
    if (event !== undefined) yield { event, index };
  }
}

function* unindexed(events: Iterable<OutboxEvent>): Iterable<Found> {
  for (const event of events) yield { event, index: undefined };
}

/** Merges sources by time; of equals the earlier source's first, so an entry of a log is seen with its index. */
function* inOrder(sources: readonly Iterable<Found>[]): Iterable<Found> {
  const heads = sources.map((source) => {
    const iterator = source[Symbol.iterator]();
    return { iterator, next: iterator.next() };
  });
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    for (const head of heads) {
      if (head.next.done === true) continue;
      if (first === undefined || first.next.done === true) first = head;
      else if (head.next.value.event.atMs < first.next.value.event.atMs) first = head;
    }
    if (first === undefined || first.next.done === true) return;
    yield first.next.value;
    first.next = first.iterator.next();
  }
}
