import type { App } from '../apps/app.ts';
import type { EventKind } from '../outbox/outbox-event.ts';
import { endpointsOf, type WebhookEndpoint } from './endpoint.ts';

/** Every endpoint of every app. */
export class WebhookEndpoints {
  readonly #byApp: ReadonlyMap<string, readonly WebhookEndpoint[]>;

  constructor(apps: Iterable<App>) {
    this.#byApp = new Map(Array.from(apps, (app) => [app.id, endpointsOf(app)]));
  }

  all(): readonly WebhookEndpoint[] {
    return [...this.#byApp.values()].flat();
  }

  of(appId: string): readonly WebhookEndpoint[] {
    return this.#byApp.get(appId) ?? [];
  }

  find(appId: string, id: string): WebhookEndpoint | undefined {
    return this.of(appId).find((endpoint) => endpoint.id === id);
  }

  /** Whether anybody wants to hear of it: asked before an event is made. */
  want(appId: string, kind: EventKind, channel: string): boolean {
    return this.of(appId).some((endpoint) => endpoint.takes(kind, channel));
  }
}
