import { loadConfig } from '../../../config/load.ts';
import type { RawObject } from '../../../config/raw.ts';
import { type App, toApp } from '../../../lib/apps/app.ts';
import type { Channel } from '../../../lib/channels/channel.ts';
import { ChannelRegistry } from '../../../lib/channels/channel-registry.ts';
import { Connection } from '../../../lib/channels/connection.ts';
import { Fanout } from '../../../lib/channels/fanout.ts';
import type { Subscription } from '../../../lib/channels/subscription.ts';
import { Subscriptions } from '../../../lib/channels/subscriptions.ts';
import { type ChannelName, parseChannelName } from '../../../lib/protocol/channel-name.ts';
import { RecordingTransport } from '../recording-transport.ts';

/** An app with the defaults of the configuration. */
export function createApp(id = 'app-1', settings: RawObject = {}): App {
  const apps = [{ id, key: `${id}-key`, secret: `${id}-secret`, ...settings }];
  return toApp(loadConfig({ env: {}, overrides: { apps } }).config.apps[0]!);
}

export function nameOf(channel: string): ChannelName {
  const name = parseChannelName(channel);
  if (name === undefined) throw new Error(`${channel} is no channel name`);
  return name;
}

/** One node's channels, with turns of the event loop that the spec takes itself. */
export class SpecNode {
  readonly app = createApp();
  readonly interest: string[] = [];
  readonly registry = new ChannelRegistry((_, channel, interested) =>
    this.interest.push(`${interested ? '+' : '-'}${channel}`),
  );
  readonly subscriptions = new Subscriptions(this.registry);
  readonly connections: Connection[] = [];
  readonly slow: Connection[] = [];
  readonly inline: (readonly [channel: string, entries: number])[] = [];
  readonly fanout: Fanout;
  onSlow: (connection: Connection) => void = () => undefined;
  #turns: (() => void)[] = [];
  #sockets = 0;

  constructor(maxBufferedBytes = 1_000) {
    this.fanout = new Fanout(this.registry, maxBufferedBytes, {
      onSlow: (connection) => {
        this.slow.push(connection);
        this.onSlow(connection);
      },
      onInline: (channel, entries) => this.inline.push([channel.name.name, entries]),
      schedule: (flush) => this.#turns.push(flush),
    });
  }

  /** Flushes that wait for a turn of the event loop. */
  get scheduled(): number {
    return this.#turns.length;
  }

  connect(app: App = this.app) {
    const transport = new RecordingTransport();
    this.#sockets++;
    const connection = new Connection(`1.${this.#sockets}`, app, transport, 0);
    transport.connection = connection;
    this.connections.push(connection);
    return { connection, transport };
  }

  channel(name: string, app: App = this.app): Channel {
    return this.registry.findOrCreate(app, nameOf(name));
  }

  join(connection: Connection, name: string, snapshotVersion = 0): Subscription {
    const joining = this.subscriptions.begin(connection, nameOf(name), undefined);
    return this.subscriptions.activate(joining, snapshotVersion);
  }

  /** As an unsubscribe does it: first what was published before. */
  leave(subscription: Subscription): void {
    this.fanout.catchUp(subscription.connection);
    this.subscriptions.forgetLeave(this.subscriptions.end(subscription));
  }

  /** As the end of a connection does it. */
  close(connection: Connection): void {
    connection.closing = true;
    for (const leave of this.subscriptions.endAll(connection)) this.subscriptions.forgetLeave(leave);
  }

  /** Takes one turn of the event loop; answers whether there was something to do. */
  turn(): boolean {
    const turns = this.#turns;
    this.#turns = [];
    for (const flush of turns) flush();
    return turns.length > 0;
  }

  /** Takes turns until nothing waits any more. */
  flush(): void {
    while (this.turn());
  }
}
