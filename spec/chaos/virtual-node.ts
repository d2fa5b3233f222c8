import { Subject } from 'rxjs';
import type { Config } from '../../config/schema.ts';
import { Edge } from '../../lib/edge/edge.ts';
import { MemoryOutbox } from '../../lib/outbox/memory/memory-outbox.ts';
import { createParts, type Parts } from '../../lib/parts.ts';
import type { ConnectionAttempted, MessageReceived } from '../../lib/stages/events.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { type Stoppable, stopServer } from '../../lib/stop.ts';
import { createMemoryStores, type CreateStores } from '../../lib/stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import type { PostWebhook } from '../../lib/webhooks/post.ts';
import { connect } from '../../pipelines/connect.ts';
import { delivery } from '../../pipelines/delivery.ts';
import { disconnect } from '../../pipelines/disconnect.ts';
import { message } from '../../pipelines/message.ts';
import { publish } from '../../pipelines/publish.ts';
import { webhook } from '../../pipelines/webhook.ts';
import { Client, request } from '../pipelines/running-node.ts';

/** What a stopped node leaves to the next one: the lines of its spool file. */
export interface Spool {
  lines: readonly string[];
}

export interface VirtualNodeOptions {
  readonly config: Config;
  readonly post: PostWebhook;
  readonly createStores: CreateStores;
  /** Looks at the parts, or replaces some, before anything runs. */
  readonly onParts?: (parts: Parts) => void;
  /** Default: a random one. */
  readonly nodeId?: string;
}

/** A whole server without sockets, for virtual time: every pipeline runs, and it stops as a server does. */
export class VirtualNode {
  readonly parts: Parts;
  readonly #running: Stoppable;
  readonly #connects$ = new Subject<ConnectionAttempted>();
  readonly #messages$ = new Subject<MessageReceived>();

  constructor({ config, post, createStores, onParts, nodeId }: VirtualNodeOptions) {
    const clock = { now: () => Date.now() };
    const telemetry = new Telemetry({ level: 'error', now: clock.now });
    const parts = createParts(config, telemetry, {
      clock,
      post,
      createStores,
      ...(nodeId === undefined ? {} : { nodeId }),
    });
    onParts?.(parts);
    this.parts = parts;
    const aborter = new AbortController();
    const run = { stages: [], signal: aborter.signal };
    const edge = new Edge({ config, node: parts.node, telemetry, onRequest: () => undefined });
    edge.connects$.subscribe(this.#connects$);
    edge.messages$.subscribe(this.#messages$);
    this.#running = {
      config,
      parts,
      edge,
      aborter,
      closed: Promise.resolve(),
      admin: { port: 0, close: () => Promise.resolve() },
      log: { next: () => undefined, setLevel: () => undefined, close: () => Promise.resolve(), dropped: 0 },
      pipelines: [
        runPipeline(delivery, parts.schedule.deliveries$, parts, run),
        runPipeline(webhook, parts.schedule.readings$, parts, run),
        runPipeline(disconnect, parts.departures, parts, run),
        runPipeline(publish, parts.publishes, parts, run),
        runPipeline(message, this.#messages$, parts, run),
        runPipeline(connect, this.#connects$, parts, run),
      ],
      subscriptions: [parts.outbox.work$.subscribe((work) => parts.schedule.wake(work))],
    };
  }

  async start(): Promise<void> {
    await this.parts.stores.open();
    await this.parts.outbox.open(this.parts.endpoints.all());
  }

  open(appKey: string): Client {
    const client = new Client((frame) => this.#messages$.next({ transport: client.transport, frame }));
    this.#connects$.next({ transport: client.transport, request: { ...request, appKey } });
    return client;
  }

  close({ connection, transport }: Client, closeCode: number): void {
    transport.isOpen = false;
    const cause = closeCode === 1006 ? 'error' : 'client';
    this.parts.departures.next({ kind: 'connection', connection, cause, closeCode });
  }

  stop(): Promise<void> {
    return stopServer(this.#running, 'spec');
  }

  /** Nothing is left to tell any endpoint. */
  async isQuiet(): Promise<boolean> {
    const backlogs = await this.parts.outbox.backlogs();
    return backlogs.every(({ events }) => events === 0);
  }
}

/** Memory stores that spool to and from memory: a file would need real time. */
export function spoolingStores(spool: Spool, create: CreateStores = createMemoryStores): CreateStores {
  return (config, deliverHere, tools) => {
    const stores = create(config, deliverHere, tools);
    const { outbox } = stores;
    if (!(outbox instanceof MemoryOutbox)) throw new Error('only a memory outbox can be spooled');
    return {
      ...stores,
      open: () => {
        if (spool.lines.length > 0) outbox.restore(spool.lines);
      },
      close: () => {
        outbox.close();
        spool.lines = [...outbox.spool()];
      },
    };
  };
}
