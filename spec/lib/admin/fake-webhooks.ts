import { loadConfig } from '../../../config/load.ts';
import type { WebhookOperations } from '../../../lib/admin/webhook-operations.ts';
import { AppRegistry } from '../../../lib/apps/app-registry.ts';
import type { Archive, ArchivedEvent, ArchiveQuery, Backlog } from '../../../lib/outbox/archive.ts';
import { WebhookEndpoints } from '../../../lib/webhooks/endpoints.ts';
import type { EndpointStatus } from '../../../lib/webhooks/schedule.ts';

const apps = new AppRegistry(
  loadConfig({
    env: {},
    overrides: {
      apps: [
        {
          id: 'shop',
          key: 'k1',
          secret: 's1',
          webhooks: [
            { id: 'orders', url: 'https://user:hush@shop.example:8443/hook?key=hush' },
            { id: 'audit', url: 'https://audit.example/' },
          ],
        },
        { id: 'chat', key: 'k2', secret: 's2', webhooks: [{ id: 'bot', url: 'https://bot.example/' }] },
        { id: 'quiet', key: 'k3', secret: 's3' },
      ],
    },
  }).config.apps,
);

const atMs = Date.UTC(2026, 10, 21, 10);

/** Two endpoints of one app, one of another, and one that is configured no more. What is asked of them is remembered. */
export class FakeWebhooks implements WebhookOperations {
  readonly queries: { readonly query: ArchiveQuery; readonly limit: number }[] = [];
  readonly replays: { readonly query: ArchiveQuery; readonly limit: number }[] = [];
  readonly resumed: string[] = [];
  events: readonly ArchivedEvent[] = [occupied, refused];
  replayable = 2;

  endpoints = new WebhookEndpoints(apps.all());
  backlogs: readonly Backlog[] = backlogs;

  readonly outbox: Archive = {
    backlogs: () => this.backlogs,
    list: (query, limit) => {
      this.queries.push({ query, limit });
      const found = this.events.filter(({ event }) => query.id === undefined || query.id === event.id);
      return Promise.resolve(found.slice(0, limit));
    },
    replay: (query, limit) => {
      this.replays.push({ query, limit });
      return Promise.resolve(Math.min(limit, this.replayable));
    },
  };

  readonly schedule = {
    resume: (appId: string, endpointId: string): void => {
      this.resumed.push(`${appId} ${endpointId}`);
    },
    status: () => statuses,
  };

  /** As if no other app had endpoints. */
  keepOnly(appId: string): void {
    this.endpoints = new WebhookEndpoints([...apps.all()].filter(({ id }) => id === appId));
    this.backlogs = [];
  }
}

export const occupied: ArchivedEvent = {
  event: {
    kind: 'channel_occupied',
    id: 'e1-1',
    appId: 'shop',
    channel: 'room',
    atMs,
    epoch: 'e1',
    seq: 1,
  },
  deliveries: [
    { endpointId: 'orders', state: 'delivered', batchId: 'msg_1', failures: 0 },
    { endpointId: 'audit', state: 'pending' },
  ],
};

export const refused: ArchivedEvent = {
  event: {
    kind: 'member_added',
    id: 'e2-2',
    appId: 'shop',
    channel: 'presence-x',
    userId: 'ada\u001b[2J',
    atMs: atMs + 1_000,
    epoch: 'e2',
    seq: 2,
  },
  deliveries: [{ endpointId: 'orders', state: 'dead', batchId: 'msg_2', failures: 7, lastFailure: '422' }],
};

const backlogs: readonly Backlog[] = [
  {
    appId: 'shop',
    endpointId: 'orders',
    isOpen: true,
    events: 3,
    bytes: 900,
    oldestAtMs: atMs,
    deadLetters: 1,
    coalesced: 5,
  },
  {
    appId: 'shop',
    endpointId: 'old',
    isOpen: false,
    events: 0,
    bytes: 0,
    oldestAtMs: undefined,
    deadLetters: 2,
    coalesced: 0,
  },
];

const statuses: readonly EndpointStatus[] = [
  {
    appId: 'shop',
    endpointId: 'orders',
    state: 'open',
    inFlight: 1,
    due: 4,
    waiting: 2,
    lastSuccessAtMs: atMs - 60_000,
    lastFailure: '503',
  },
];
