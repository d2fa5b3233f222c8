import { toApp } from '../../../lib/apps/app.ts';
import { endpointsOf, type WebhookEndpoint } from '../../../lib/webhooks/endpoint.ts';
import { load, ownApp } from '../../config/config-files.ts';

/** The endpoint that a configuration with this one webhook describes. */
export function endpointFor(url: string, webhook: object = {}, app: object = {}): WebhookEndpoint {
  const { config } = load({ apps: [{ ...ownApp, ...app, webhooks: [{ ...webhook, url }] }] });
  return endpointsOf(toApp(config.apps[0]!))[0]!;
}
