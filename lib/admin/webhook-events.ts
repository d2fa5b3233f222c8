import { SpillwayError } from '../errors/spillway-error.ts';
import type { ArchivedDelivery, ArchivedEvent, ArchiveQuery, DeliveryState } from '../outbox/archive.ts';
import { keptPayload } from '../webhooks/kept-payload.ts';
import { type Fields, invalid } from './fields.ts';
import { isoOf } from './iso.ts';
import { ensureKept, type WebhookOperations } from './webhook-operations.ts';

/** What narrows down which events are meant, besides app and endpoint. */
export const conditionFields = ['id', 'channel', 'from', 'to'] as const;

const states: readonly DeliveryState[] = ['pending', 'recorded', 'delivered', 'dead'];
const maxListed = 1_000;
const defaultListed = 100;

export const listFields = ['app', 'endpoint', ...conditionFields, 'state', 'limit'] as const;

/** An event, and how far it has come with each endpoint. */
export async function listEvents(webhooks: WebhookOperations, fields: Fields): Promise<object> {
  const query = queryOf(fields);
  const state = fields.choice('state', states);
  const limit = fields.count('limit', maxListed, defaultListed);
  await ensureKept(webhooks, query.appId, query.endpointId);
  const found = await webhooks.outbox.list(state === undefined ? query : { ...query, state }, limit + 1);
  return { events: found.slice(0, limit).map(shown), hasMore: found.length > limit };
}

/** One event of an app, by its id. */
export async function showEvent(webhooks: WebhookOperations, appId: string, id: string): Promise<object> {
  await ensureKept(webhooks, appId, undefined);
  const [found] = await webhooks.outbox.list({ appId, id }, 1);
  if (found === undefined) throw new SpillwayError('admin.unknown-event', { appId, id });
  return shown(found);
}

/** The events that `app`, `endpoint`, `id`, `channel`, `from` and `to` describe. */
export function queryOf(fields: Fields): ArchiveQuery {
  const endpointId = fields.text('endpoint');
  const id = fields.text('id');
  const channel = fields.text('channel');
  const fromMs = fields.momentMs('from');
  const toMs = fields.momentMs('to');
  if (fromMs !== undefined && toMs !== undefined && toMs < fromMs) throw invalid('to', 'not before from');
  return {
    appId: fields.required('app'),
    ...(endpointId === undefined ? {} : { endpointId }),
    ...(id === undefined ? {} : { id }),
    ...(channel === undefined ? {} : { channel }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  };
}

function shown({ event, deliveries }: ArchivedEvent): object {
  return { at: isoOf(event.atMs), event: keptPayload(event), deliveries: deliveries.map(shownDelivery) };
}

function shownDelivery({ endpointId, state, batchId, failures, lastFailure }: ArchivedDelivery): object {
  return {
    endpoint: endpointId,
    state,
    batchId: batchId ?? null,
    failures: failures ?? 0,
    lastFailure: lastFailure ?? null,
  };
}
