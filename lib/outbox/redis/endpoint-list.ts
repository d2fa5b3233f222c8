import type { EventKind, OutboxEvent } from '../outbox-event.ts';
import type { OutboxEndpoint } from '../outbox.ts';

/** The endpoints of this node's configuration, and the apps that have any, here or elsewhere. */
export class EndpointList {
  #configured: readonly OutboxEndpoint[] = [];
  readonly #byName = new Map<string, OutboxEndpoint>();
  readonly #apps = new Set<string>();

  get all(): readonly OutboxEndpoint[] {
    return this.#configured;
  }

  open(endpoints: readonly OutboxEndpoint[]): void {
    this.#configured = [...endpoints];
    this.#byName.clear();
    for (const endpoint of endpoints) this.#byName.set(nameOf(endpoint.appId, endpoint.id), endpoint);
    this.noteApps(endpoints.map(({ appId }) => appId));
  }

  /** Events of these apps are kept. */
  noteApps(appIds: readonly string[]): void {
    for (const appId of appIds) this.#apps.add(appId);
  }

  isToldTo(appId: string): boolean {
    return this.#apps.has(appId);
  }

  ofApp(appId: string): readonly OutboxEndpoint[] {
    return this.#configured.filter((endpoint) => endpoint.appId === appId);
  }

  isOpen(appId: string, endpointId: string): boolean {
    return this.#byName.has(nameOf(appId, endpointId));
  }

  /** Whether it asked for such events; one that is not configured here may come back and ask for anything. */
  takes(appId: string, endpointId: string, kind: EventKind, channel: string): boolean {
    return this.#byName.get(nameOf(appId, endpointId))?.takes(kind, channel) ?? true;
  }

  /** Whether the event is for it; ranges are for everybody. */
  isFor(endpointId: string, { kind, appId, channel }: OutboxEvent): boolean {
    return kind === 'spillway_coalesced' || this.takes(appId, endpointId, kind, channel);
  }
}

function nameOf(appId: string, endpointId: string): string {
  return `${appId} ${endpointId}`;
}
