import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SpillwayError } from '../errors/spillway-error.ts';
import { Fields, jsonObjectOf } from './fields.ts';
import { listEvents, listFields, showEvent } from './webhook-events.ts';
import type { WebhookOperations } from './webhook-operations.ts';
import { replay, replayFields, retry, retryFields } from './webhook-orders.ts';
import { webhookOverview } from './webhook-overview.ts';

type Order = (webhooks: WebhookOperations, fields: Fields) => Promise<object>;

/** List, inspect, retry, replay (R10). `isReadOnly`: nothing may be changed, because nobody has to show a token. */
export function addWebhooks(server: FastifyInstance, webhooks: WebhookOperations, isReadOnly: boolean): void {
  // Whatever a body says it is, it has to be JSON; our own words for one that is not.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  server.get('/webhooks', async (request) => {
    fieldsOf(request, []);
    return { endpoints: await webhookOverview(webhooks) };
  });
  server.get('/webhooks/events', (request) => listEvents(webhooks, fieldsOf(request, listFields)));
  server.get<{ Params: { id: string } }>('/webhooks/events/:id', (request) =>
    showEvent(webhooks, fieldsOf(request, ['app']).required('app'), request.params.id),
  );
  const order = (path: string, known: readonly string[], give: Order): void => {
    server.post(path, (request) => {
      if (isReadOnly) throw new SpillwayError('admin.read-only');
      return give(webhooks, new Fields(jsonObjectOf(request.body), known));
    });
  };
  order('/webhooks/retry', retryFields, retry);
  order('/webhooks/replay', replayFields, replay);
}

function fieldsOf({ query }: FastifyRequest, known: readonly string[]): Fields {
  return new Fields(query as Readonly<Record<string, unknown>>, known);
}
