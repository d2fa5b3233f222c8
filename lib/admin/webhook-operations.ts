import { SpillwayError } from '../errors/spillway-error.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { Archive } from '../outbox/archive.ts';
import type { WebhookEndpoint } from '../webhooks/endpoint.ts';
import type { WebhookEndpoints } from '../webhooks/endpoints.ts';
import type { EndpointStatus } from '../webhooks/schedule.ts';

/** What operators see of webhooks, and do about them. */
export interface WebhookOperations {
  readonly outbox: Archive;
  readonly schedule: {
    resume(appId: string, endpointId: string): MaybePromise<void>;
    status(): MaybePromise<readonly EndpointStatus[]>;
  };
  readonly endpoints: Pick<WebhookEndpoints, 'all' | 'find' | 'of'>;
}

/** The configured endpoints that a request means: the one it names, or all of its app. Fails when there is none. */
export function endpointsMeant(
  { endpoints }: WebhookOperations,
  appId: string,
  endpointId: string | undefined,
): readonly WebhookEndpoint[] {
  const ofApp = endpoints.of(appId);
  if (ofApp.length === 0) throw new SpillwayError('admin.no-endpoint', { appId });
  if (endpointId === undefined) return ofApp;
  const named = endpoints.find(appId, endpointId);
  if (named !== undefined) return [named];
  throw unknownEndpoint(
    appId,
    endpointId,
    ofApp.map(({ id }) => id),
  );
}

/** For questions endpoints count too that are configured no more, while something of them is kept. */
export async function ensureKept(
  webhooks: WebhookOperations,
  appId: string,
  endpointId: string | undefined,
): Promise<void> {
  const kept = await webhooks.outbox.backlogs();
  const ofApp = [
    ...webhooks.endpoints.of(appId).map(({ id }) => id),
    ...kept.filter((backlog) => backlog.appId === appId).map((backlog) => backlog.endpointId),
  ];
  if (ofApp.length === 0) throw new SpillwayError('admin.no-endpoint', { appId });
  if (endpointId !== undefined && !ofApp.includes(endpointId))
    throw unknownEndpoint(appId, endpointId, [...new Set(ofApp)]);
}

function unknownEndpoint(appId: string, endpointId: string, known: readonly string[]): SpillwayError {
  return new SpillwayError('admin.unknown-endpoint', { appId, endpointId, known: known.join(', ') });
}
