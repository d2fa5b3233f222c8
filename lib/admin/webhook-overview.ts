import type { Backlog } from '../outbox/archive.ts';
import type { WebhookEndpoint } from '../webhooks/endpoint.ts';
import type { EndpointStatus } from '../webhooks/schedule.ts';
import { isoOf } from './iso.ts';
import type { WebhookOperations } from './webhook-operations.ts';

/** How one endpoint does, as operators are shown it. Of its URL no more than the host: the rest may hold a secret. */
export interface EndpointOverview {
  readonly app: string;
  readonly id: string;
  /** Null for an endpoint that is in the configuration no more. */
  readonly host: string | null;
  /** Of its breaker; `paused` after a 410; `retired`: in the configuration no more. */
  readonly state: EndpointStatus['state'] | 'retired';
  /** Slots in use, lanes that wait for one, lanes that wait for their next attempt. */
  readonly inFlight: number;
  readonly due: number;
  readonly waiting: number;
  readonly lastSuccessAt: string | null;
  readonly lastFailure: string | null;
  readonly undelivered: number;
  readonly undeliveredBytes: number;
  readonly oldestAt: string | null;
  readonly deadLetters: number;
  readonly coalesced: number;
}

/** Every configured endpoint, then those of which something is left. */
export async function webhookOverview(webhooks: WebhookOperations): Promise<readonly EndpointOverview[]> {
  const backlogs = await webhooks.outbox.backlogs();
  const statuses = await webhooks.schedule.status();
  const isOf =
    (appId: string, id: string) =>
    (other: { readonly appId: string; readonly endpointId: string }): boolean =>
      other.appId === appId && other.endpointId === id;
  const configured = webhooks.endpoints
    .all()
    .map((endpoint) => [endpoint, isOf(endpoint.appId, endpoint.id)] as const)
    .map(([endpoint, isIts]) => overviewOf(endpoint, backlogs.find(isIts), statuses.find(isIts)));
  const retired = backlogs
    .filter(({ appId, endpointId }) => webhooks.endpoints.find(appId, endpointId) === undefined)
    .map((backlog) => overviewOf({ appId: backlog.appId, id: backlog.endpointId }, backlog, undefined));
  return [...configured, ...retired];
}

function overviewOf(
  { appId, id, url }: Pick<WebhookEndpoint, 'appId' | 'id'> & Partial<Pick<WebhookEndpoint, 'url'>>,
  backlog: Backlog | undefined,
  status: EndpointStatus | undefined,
): EndpointOverview {
  return {
    app: appId,
    id,
    host: url?.host ?? null,
    state: status?.state ?? (url === undefined ? 'retired' : 'closed'),
    inFlight: status?.inFlight ?? 0,
    due: status?.due ?? 0,
    waiting: status?.waiting ?? 0,
    lastSuccessAt: isoOf(status?.lastSuccessAtMs),
    lastFailure: status?.lastFailure ?? null,
    undelivered: backlog?.events ?? 0,
    undeliveredBytes: backlog?.bytes ?? 0,
    oldestAt: isoOf(backlog?.oldestAtMs),
    deadLetters: backlog?.deadLetters ?? 0,
    coalesced: backlog?.coalesced ?? 0,
  };
}
