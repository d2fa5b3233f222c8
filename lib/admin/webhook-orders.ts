import { type Fields, missing } from './fields.ts';
import { conditionFields, queryOf } from './webhook-events.ts';
import { endpointsMeant, type WebhookOperations } from './webhook-operations.ts';

/** Most events of one order. */
const maxReplayed = 10_000;

export const retryFields = ['app', 'endpoint', 'deadLetters'] as const;
export const replayFields = ['app', 'endpoint', ...conditionFields, 'limit'] as const;

/** Asks endpoints again at once, paused ones too; with `deadLetters` they are sent what was given up as well. */
export async function retry(webhooks: WebhookOperations, fields: Fields): Promise<object> {
  const appId = fields.required('app');
  const withDeadLetters = fields.flag('deadLetters');
  const meant = endpointsMeant(webhooks, appId, fields.text('endpoint'));
  let replayed = 0;
  for (const { id: endpointId } of meant) {
    if (withDeadLetters)
      replayed += await webhooks.outbox.replay({ appId, endpointId, state: 'dead' }, maxReplayed);
    await webhooks.schedule.resume(appId, endpointId);
  }
  return { endpoints: meant.map(({ id }) => id), replayed };
}

/** Sends delivered events and dead letters again. At least one condition has to say which. */
export async function replay(webhooks: WebhookOperations, fields: Fields): Promise<object> {
  const query = queryOf(fields);
  const { id, channel, fromMs, toMs } = query;
  if (id === undefined && channel === undefined && fromMs === undefined && toMs === undefined)
    throw missing('id, channel, from or to');
  const limit = fields.count('limit', maxReplayed, maxReplayed);
  const meant = endpointsMeant(webhooks, query.appId, query.endpointId);
  const replayed = await webhooks.outbox.replay(query, limit);
  return { endpoints: meant.map((endpoint) => endpoint.id), replayed, limit };
}
