import type { EventEntry } from '../event-entry.ts';

const batch = { appId: 'string', endpointId: 'string', batchId: 'string', events: 'number' } as const;
const attempt = { ...batch, host: 'string', attempt: 'number' } as const;
const endpoint = { appId: 'string', endpointId: 'string', host: 'string' } as const;
const labels = ['appId', 'endpointId'] as const;

/** Webhooks: batches on their way to the endpoints, and how the endpoints are. */
export const webhookEvents = {
  'webhook.recorded': {
    level: 'debug',
    doc: 'A batch was kept with its bytes, before its first attempt.',
    fields: batch,
  },
  'webhook.delivered': {
    level: 'info',
    doc: 'An endpoint took a batch; `delayMs` is the time since the oldest of its events happened.',
    limited: true,
    fields: { ...attempt, delayMs: 'number' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_webhook_delivered_batches_total',
        help: 'Batches that endpoints took',
        labels,
      },
      {
        kind: 'counter',
        name: 'spillway_webhook_delivered_events_total',
        help: 'Events that endpoints took',
        labels,
        by: 'events',
      },
      {
        kind: 'histogram',
        name: 'spillway_webhook_delay_seconds',
        help: 'Time from the oldest event of a batch to the answer 2xx',
        labels,
        of: 'delayMs',
      },
    ],
  },
  'webhook.withheld': {
    level: 'debug',
    doc: 'A batch was about to be sent, but its lane is another node’s by now, or this node’s lease is about to end: whoever owns the lane sends it.',
    fields: attempt,
  },
  'webhook.failed': {
    level: 'warn',
    doc: 'An endpoint did not take a batch: it did not answer in time, or not with 2xx. The batch is sent again.',
    limited: true,
    fields: { ...attempt, reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_webhook_failures_total',
        help: 'Attempts that failed and are made again',
        labels,
      },
    ],
  },
  'webhook.refused': {
    level: 'warn',
    doc: 'An endpoint answered 4xx: it does not want this batch. It is sent again, and taken apart if others are taken.',
    limited: true,
    fields: { ...attempt, reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_webhook_refusals_total',
        help: 'Attempts that were answered 4xx',
        labels,
      },
    ],
  },
  'webhook.paused': {
    level: 'warn',
    doc: 'An endpoint answered 410: it is asked nothing until it is resumed, and its events are kept.',
    fields: { ...attempt, reason: 'string' },
  },
  'webhook.split': {
    level: 'warn',
    doc: 'A batch that an endpoint refuses was split, to find the event that is refused; `parts` are the new batches.',
    fields: { ...attempt, parts: 'strings' },
  },
  'webhook.dead-lettered': {
    level: 'error',
    doc: 'An event that an endpoint refuses was given up: it is kept for a replay, and its lane goes on.',
    fields: { ...attempt, eventIds: 'strings', reason: 'string' },
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_outbox_dead_lettered_total',
        help: 'Events that became dead letters',
        labels,
        by: 'events',
      },
    ],
  },
  'webhook.coalesced': {
    level: 'warn',
    doc: 'A batch tells of events that were left out because the backlog of its endpoint was full; `events` says how many.',
    fields: batch,
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_webhook_coalesced_total',
        help: 'Events left out of full backlogs, as endpoints were told',
        labels,
        by: 'events',
      },
    ],
  },
  'endpoint.opened': {
    level: 'warn',
    doc: 'An endpoint failed so often that nothing is sent to it for five seconds.',
    fields: endpoint,
    metrics: [
      {
        kind: 'counter',
        name: 'spillway_webhook_breaker_opened_total',
        help: 'Times the breaker of an endpoint opened',
        labels,
      },
    ],
  },
  'endpoint.half-open': {
    level: 'info',
    doc: 'An endpoint that failed is asked again, with one batch.',
    fields: endpoint,
  },
  'endpoint.closed': {
    level: 'info',
    doc: 'An endpoint that failed works again.',
    fields: endpoint,
  },
} as const satisfies Record<string, EventEntry>;
