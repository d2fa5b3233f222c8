import { jest } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import type { RawObject } from '../../config/raw.ts';
import { systemClock } from '../../lib/flow/clock.ts';
import type { Outbox } from '../../lib/outbox/outbox.ts';
import { createParts } from '../../lib/parts.ts';
import type { SlotStage } from '../../lib/stages/define-stage.ts';
import type { Services } from '../../lib/stages/services.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { createMemoryStores, type CreateStores } from '../../lib/stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import type { PostResult } from '../../lib/webhooks/post.ts';
import { delivery } from '../../pipelines/delivery.ts';
import { webhook } from '../../pipelines/webhook.ts';
import { EventLog } from '../support/event-log.ts';

/** A request as a receiver sees it. */
export interface Received {
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `data` of client events, `name` of others. */
  readonly events: readonly string[];
}

export interface WebhookRunOptions {
  /** `webhooks` of app-1 and of app-2; default: one endpoint each that takes client events. */
  readonly endpoints?: readonly (readonly RawObject[])[];
  /** Settings of `webhooks`. */
  readonly webhooks?: RawObject;
  readonly stages?: readonly SlotStage[];
  /** What endpoints answer; default 200. */
  readonly answer?: (request: Received) => PostResult | Promise<PostResult>;
  readonly createStores?: CreateStores;
  /** Stands between the stages and the outbox. */
  readonly around?: (outbox: Outbox) => Outbox;
}

export const status = (code: number): PostResult => ({ kind: 'answered', status: code });
export const endpoint = (id: string, more: RawObject = {}): RawObject => ({
  id,
  url: `http://${id}.test/hook`,
  events: ['client_event'],
  ...more,
});

/** The two webhook pipelines over an outbox and fake receivers, in the time of jest's fake timers. */
export function runWebhooks(options: WebhookRunOptions = {}) {
  const [first = [], second = []] = options.endpoints ?? [[endpoint('a')], [endpoint('b')]];
  const { config } = loadConfig({
    env: {},
    overrides: {
      apps: [
        { id: 'app-1', key: 'key-1', secret: 'secret-1', webhooks: [...first] },
        { id: 'app-2', key: 'key-2', secret: 'secret-2', webhooks: [...second] },
      ],
      ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks }),
    },
  });
  const telemetry = new Telemetry({ level: 'debug' });
  const log = new EventLog();
  void telemetry.events$.forEach((event) => log.add(event));
  const received: Received[] = [];
  const receiver = { answer: options.answer ?? (() => status(200)) };
  const post: Services['post'] = async ({ url }, headers, body) => {
    const text = body.toString('utf8');
    const { events } = JSON.parse(text) as { events: readonly { name: string; data?: string }[] };
    const request = {
      host: url.hostname,
      headers,
      body: text,
      events: events.map(({ name, data }) => data ?? name),
    };
    received.push(request);
    return receiver.answer(request);
  };
  const made = createParts(config, telemetry, {
    clock: systemClock,
    post,
    createStores: options.createStores ?? createMemoryStores,
  });
  const parts = { ...made, outbox: options.around?.(made.outbox) ?? made.outbox };
  const run = { stages: options.stages ?? [], signal: new AbortController().signal };
  const pipelines = [
    runPipeline(delivery, parts.schedule.deliveries$, parts, run),
    runPipeline(webhook, parts.schedule.readings$, parts, run),
  ];
  made.outbox.work$.subscribe((work) => parts.schedule.wake(work));
  void made.outbox.open(parts.endpoints.all());
  /** Client events of a channel, known by their data. */
  const tell = (texts: string, channel = 'private-room', appId = 'app-1'): void => {
    const events = texts.split(' ').map((data) => ({
      kind: 'client_event' as const,
      appId,
      channel,
      event: 'client-said',
      data,
      socketId: '1.1',
    }));
    void made.outbox.append(events);
  };
  /** Of one host: the events of each request. */
  const takenBy = (host: string): readonly string[] =>
    received.filter((request) => request.host === `${host}.test`).map(({ events }) => events.join(' '));
  const statusOf = (endpointId: string) =>
    parts.schedule.status().find((each) => each.endpointId === endpointId);
  const stats = (stage: string) =>
    pipelines.flatMap((pipeline) => pipeline.stats).find((each) => each.stage === stage)!;
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
  return {
    parts,
    outbox: made.outbox,
    log,
    received,
    receiver,
    tell,
    takenBy,
    statusOf,
    stats,
    pass,
    pipelines,
  };
}
