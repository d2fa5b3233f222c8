import type { Clock } from '../../flow/clock.ts';
import type { MaybePromise } from '../../flow/maybe-promise.ts';
import { inSlices } from '../../flow/slices.ts';
import { type AppOutbox, isFor } from './app-outbox.ts';
import type { ArchivedDelivery, ArchivedEvent, ArchiveQuery, Backlog } from '../archive.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { EventLog } from './event-log.ts';
import type { OutboxEvent } from '../outbox-event.ts';
import { partitionOf } from '../../cluster/partition.ts';

/** Loose events that are sorted in one step. */
const sortedAtOnce = 256;

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

/** See `Archive.list`. */
export function listArchived(
  app: AppOutbox,
  query: ArchiveQuery,
  limit: number,
  clock: Clock,
): MaybePromise<readonly ArchivedEvent[]> {
  const found: ArchivedEvent[] = [];
  if (limit <= 0) return found;
  const visit = (archived: ArchivedEvent | undefined): boolean =>
    archived === undefined || found.push(archived) < limit;
  return inSlices(clock, archivedIn(app, query), visit, () => found);
}

/** See `Archive.replay`. What waits to be sent for the first time is not sent again. */
export function replayArchived(
  app: AppOutbox,
  query: ArchiveQuery,
  limit: number,
  clock: Clock,
): MaybePromise<number> {
  const woken = new Set<EndpointState>();
  let replayed = 0;
  const visit = (archived: ArchivedEvent | undefined): boolean => {
    for (const endpoint of archived === undefined ? [] : sentTo(app, archived, query)) {
      if (replayed >= limit) return false;
      if (archived === undefined || !endpoint.replay.add(archived.event, clock.now())) continue;
      woken.add(endpoint);
      replayed++;
    }
    return replayed < limit;
  };
  return inSlices(clock, archivedIn(app, query), visit, () => {
    for (const { replay } of woken) app.tellMore(replay);
    return replayed;
  });
}

/**
 * Everything of an app that is kept and answers to the query, oldest first; undefined for each step that found nothing.
 * The app goes on between the steps: what is found is as it is then.
 */
function* archivedIn(app: AppOutbox, query: ArchiveQuery): Iterable<ArchivedEvent | undefined> {
  const sources = inLanes(app);
  let loose: OutboxEvent[] = [];
  for (const event of loosely(app)) {
    if (isAskedFor(event, query)) loose.push(event);
    if (loose.length === sortedAtOnce) {
      sources.push(inOrderOfTime(loose));
      loose = [];
    }
    yield undefined;
  }
  sources.push(inOrderOfTime(loose));
  const seen = new Set<string>();
  for (const { event, index } of inOrder(sources)) {
    yield isAskedFor(event, query) && !seen.has(event.id)
      ? archivedOf(app, seen, event, index, query)
      : undefined;
  }
}

function archivedOf(
  app: AppOutbox,
  seen: Set<string>,
  event: OutboxEvent,
  index: number | undefined,
  query: ArchiveQuery,
): ArchivedEvent | undefined {
  seen.add(event.id);
  const deliveries = [...app.endpoints].flatMap((endpoint) => deliveryTo(app, endpoint, event, index) ?? []);
  return deliveries.some((delivery) => isMatch(delivery, query)) ? { event, deliveries } : undefined;
}

/** The open endpoints that were sent the event, or could not be. */
function sentTo(
  app: AppOutbox,
  { deliveries }: ArchivedEvent,
  query: ArchiveQuery,
): readonly EndpointState[] {
  return deliveries.flatMap((delivery) => {
    const endpoint = app.endpoint(delivery.endpointId);
    const isSent = delivery.state === 'delivered' || delivery.state === 'dead';
    return isSent && endpoint?.isOpen === true && isMatch(delivery, query) ? [endpoint] : [];
  });
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
): ArchivedDelivery | undefined {
  const endpointId = endpoint.id;
  const lane = endpoint.lanes[partitionOf(event.appId, event.channel, app.logs.length)];
  const batch = lane?.batches.of(event.id);
  if (batch !== undefined) {
    const last = batch.lastFailure === undefined ? {} : { lastFailure: batch.lastFailure };
    return { endpointId, state: 'recorded', batchId: batch.id, failures: batch.failures, ...last };
  }
  const letter = endpoint.deadLetters.get(event.id);
  if (letter !== undefined) {
    const sent = letter.batchId === undefined ? {} : { batchId: letter.batchId };
    return { endpointId, state: 'dead', ...sent, failures: letter.failures, lastFailure: letter.reason };
  }
  if (!isFor(endpoint, event) || lane === undefined) return undefined;
  if (lane.fold.has(event.id)) return { endpointId, state: 'pending' };
  if (index === undefined || index < lane.startedAt) return undefined;
  return { endpointId, state: index < lane.position ? 'delivered' : 'pending' };
}

/** What lanes have or had to tell: each source is in order of time. */
function inLanes(app: AppOutbox): Iterable<Found>[] {
  const folds = [...app.endpoints].flatMap(({ lanes }) => lanes.map(({ fold }) => fold.events()));
  return [...app.logs.map(entriesOf), ...folds.map(unindexed)];
}

/** What is in batches and what was given up, in no order. */
function* loosely({ endpoints }: AppOutbox): Iterable<OutboxEvent> {
  for (const { lanes, deadLetters } of endpoints) {
    for (const { batches } of lanes) yield* batches.events;
    for (const { event } of deadLetters.all) yield event;
  }
}

function inOrderOfTime(events: OutboxEvent[]): Iterable<Found> {
  return unindexed(events.sort((a, b) => a.atMs - b.atMs));
}

function* entriesOf(log: EventLog): Iterable<Found> {
  const { end } = log;
  for (let index = log.first; index < end; index++) {
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
