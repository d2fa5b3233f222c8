import { createHmac } from 'node:crypto';
import { Subject } from 'rxjs';
import { connect } from '../../pipelines/connect.ts';
import { disconnect } from '../../pipelines/disconnect.ts';
import { message } from '../../pipelines/message.ts';
import { publish } from '../../pipelines/publish.ts';
import type { Connection } from '../../lib/channels/connection.ts';
import type { SlotStage } from '../../lib/stages/define-stage.ts';
import type { ConnectionAttempted, DisconnectCause, MessageReceived } from '../../lib/stages/events.ts';
import type { Step } from '../../lib/stages/pipeline.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import { RecordingTransport } from '../lib/recording-transport.ts';
import { specParts, type SpecPartsOptions } from '../lib/spec-parts.ts';
import { testApp } from '../support/server.ts';

export interface RunningNodeOptions extends SpecPartsOptions {
  readonly stages?: readonly SlotStage[];
}

/** A node without sockets: its pipelines run, its clients are wires that keep what is written to them. */
export function runNode({ stages = [], ...options }: RunningNodeOptions = {}) {
  const { parts, log, clock } = specParts(options);
  const connects$ = new Subject<ConnectionAttempted>();
  const messages$ = new Subject<MessageReceived>();
  const run = { stages, signal: new AbortController().signal };
  const pipelines = [
    runPipeline(disconnect, parts.departures, parts, run),
    runPipeline(publish, parts.publishes, parts, run),
    runPipeline(message, messages$, parts, run),
    runPipeline(connect, connects$, parts, run),
  ];
  const open = (appKey: string | undefined = testApp.key): Client => {
    const client = new Client((frame) => messages$.next({ transport: client.transport, frame }));
    connects$.next({ transport: client.transport, request: { ...request, appKey } });
    return client;
  };
  const close = ({ connection }: Client, cause: DisconnectCause = 'client', closeCode = 1000): void =>
    parts.departures.next({ kind: 'connection', connection, cause, closeCode });
  const stop = (): Promise<unknown> => {
    for (const source$ of [connects$, messages$, parts.publishes, parts.departures]) source$.complete();
    return Promise.all(pipelines.map(({ completed }) => completed));
  };
  return { parts, log, clock, connects$, messages$, open, close, stop };
}

export const request = {
  appKey: testApp.key as string | undefined,
  protocol: '7' as string | undefined,
  client: 'spec',
  origin: undefined as string | undefined,
  isSecure: false,
};

/** The far end of a wire. */
export class Client {
  readonly transport = new RecordingTransport();
  readonly #send: (frame: Buffer | number) => void;

  constructor(send: (frame: Buffer | number) => void) {
    this.#send = send;
  }

  get connection(): Connection {
    const { connection } = this.transport;
    if (connection === undefined) throw new Error('this wire has no connection');
    return connection;
  }

  get socketId(): string {
    return this.connection.socketId;
  }

  /** The frames so far, as `event` or `event channel`. */
  get told(): readonly string[] {
    return this.transport.frames.map((text) => {
      const { event, channel } = JSON.parse(text) as { readonly event: string; readonly channel?: string };
      return channel === undefined ? event : `${event} ${channel}`;
    });
  }

  send(frame: string | number | object): void {
    const text = typeof frame === 'object' ? JSON.stringify(frame) : frame;
    this.#send(typeof text === 'string' ? Buffer.from(text) : text);
  }

  subscribe(channel: string, userId?: string): void {
    const member = userId === undefined ? undefined : JSON.stringify({ user_id: userId });
    const signed =
      member === undefined ? `${this.socketId}:${channel}` : `${this.socketId}:${channel}:${member}`;
    const auth = channel.startsWith('private-') || member !== undefined ? sign(signed) : undefined;
    this.send({ event: 'pusher:subscribe', data: { channel, auth, channel_data: member } });
  }

  unsubscribe(channel: string): void {
    this.send({ event: 'pusher:unsubscribe', data: { channel } });
  }

  signIn(id: string, watchlist: readonly string[] = []): void {
    const userData = JSON.stringify({ id, watchlist });
    const auth = sign(`${this.socketId}::user::${userData}`);
    this.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
  }
}

function sign(text: string): string {
  return `${testApp.key}:${createHmac('sha256', testApp.secret).update(text).digest('hex')}`;
}

/** The steps of a pipeline as a reader sees them: names in order, slots in brackets. */
export function storyOf({ steps }: { readonly steps: readonly Step[] }): readonly string[] {
  return steps.map((step) => {
    if (step.kind === 'stage') return step.stage.name;
    return step.kind === 'slot' ? `[${step.slot}]` : `in order by ${step.lanes}`;
  });
}

/** What the registries of the node hold. */
export function holds({ parts }: Pick<ReturnType<typeof runNode>, 'parts'>) {
  return {
    connections: parts.connections.size,
    channels: parts.channels.size,
    subscriptions: parts.subscriptions.size,
    signedIn: parts.signedIn.size,
    watching: parts.watchlists.size,
  };
}
export const nobody = { connections: 0, channels: 0, subscriptions: 0, signedIn: 0, watching: 0 };
