import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Connection } from '../../../lib/channels/connection.ts';
import type { RecordingTransport } from '../recording-transport.ts';
import { createApp, SpecNode } from './node.ts';

const apps = [createApp('app-1'), createApp('app-2')] as const;
const channels = ['x', 'y', 'z'] as const;
const sockets = 6;

const socket = fc.nat(sockets - 1);
const channel = fc.constantFrom(...channels);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('publish' as const), channel, app: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), channel, socket }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('member' as const), channel, app: fc.nat(1) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('join' as const), channel, socket, ahead: fc.nat(2) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), channel, socket }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reply' as const), socket }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), socket }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Client {
  readonly connection: Connection;
  readonly transport: RecordingTransport;
  /** What should have come, for each channel, and the replies. */
  readonly expected: Map<string, string[]>;
  /** Snapshot versions by channel. */
  readonly subscribed: Map<string, number>;
}

/** A node and the model of it: for each client the list of what it should be sent on each channel. */
class Model {
  readonly node = new SpecNode();
  readonly clients: readonly Client[];
  readonly #versions = new Map<string, number>();
  #count = 0;

  /** @param crowd Subscribers on every channel that only make its passes long. */
  constructor(crowd: number) {
    this.clients = Array.from({ length: sockets }, (_, i) => {
      const { connection, transport } = this.node.connect(apps[i % 2]);
      return { connection, transport, expected: new Map(), subscribed: new Map() };
    });
    for (const app of apps) {
      for (const name of channels) {
        for (let i = 0; i < crowd; i++) this.node.join(this.node.connect(app).connection, name);
      }
    }
  }

  run(step: Step): void {
    switch (step.do) {
      case 'publish':
        this.#publish(apps[step.app]!.id, step.channel, undefined, 0);
        return;
      case 'send': {
        const { connection } = this.clients[step.socket]!;
        this.#publish(connection.app.id, step.channel, connection, 0);
        return;
      }
      case 'member': {
        const key = `${apps[step.app]!.id} ${step.channel}`;
        const version = (this.#versions.get(key) ?? 0) + 1;
        this.#versions.set(key, version);
        this.#publish(apps[step.app]!.id, step.channel, undefined, version);
        return;
      }
      case 'join':
        this.#join(this.clients[step.socket]!, step.channel, step.ahead);
        return;
      case 'leave':
        this.#leave(this.clients[step.socket]!, step.channel);
        return;
      case 'reply': {
        const client = this.clients[step.socket]!;
        const text = `reply ${this.#count++}`;
        this.node.fanout.reply(client.connection, text);
        if (!client.connection.closing) this.#expect(client, 'reply', text);
        return;
      }
      case 'close':
        this.#close(this.clients[step.socket]!);
        return;
      case 'turn':
        this.node.turn();
        return;
    }
  }

  #publish(appId: string, name: string, except: Connection | undefined, version: number): void {
    const app = apps.find(({ id }) => id === appId)!;
    const text = `${name} ${this.#count++}`;
    this.node.fanout.publish(this.node.channel(name, app), text, except, version);
    for (const client of this.clients) {
      const snapshot = client.subscribed.get(name);
      if (client.connection.app.id !== appId || snapshot === undefined) continue;
      if (client.connection === except) continue;
      if (version > 0 && version <= snapshot) continue;
      this.#expect(client, name, text);
    }
  }

  /** The snapshot of a joiner may be ahead of what was announced on this node. */
  #join(client: Client, name: string, ahead: number): void {
    if (client.connection.closing || client.subscribed.has(name)) return;
    const snapshot = (this.#versions.get(`${client.connection.app.id} ${name}`) ?? 0) + ahead;
    this.node.join(client.connection, name, snapshot);
    client.subscribed.set(name, snapshot);
  }

  #leave(client: Client, name: string): void {
    const subscription = client.connection.subscriptions.get(name);
    if (subscription === undefined) return;
    this.node.leave(subscription);
    client.subscribed.delete(name);
  }

  /** What was not sent when a connection closes never is. */
  #close(client: Client): void {
    this.node.close(client.connection);
    client.subscribed.clear();
    const sent = received(client);
    for (const [key, texts] of client.expected) texts.splice(sent.get(key)?.length ?? 0);
  }

  #expect(client: Client, key: string, text: string): void {
    const texts = client.expected.get(key) ?? [];
    texts.push(text);
    client.expected.set(key, texts);
  }
}

/** What came, for each channel, and the replies. */
function received({ transport }: Client): ReadonlyMap<string, readonly string[]> {
  const byChannel = new Map<string, string[]>();
  for (const text of transport.frames) {
    const key = text.slice(0, text.indexOf(' '));
    byChannel.set(key, [...(byChannel.get(key) ?? []), text]);
  }
  return byChannel;
}

test.each([
  ['short', 0, 200],
  ['interrupted', 600, 40],
])('every subscriber gets exactly its list, in order, when passes are %s', (_, crowd, numRuns) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const model = new Model(crowd);
      for (const one of steps) model.run(one);
      model.node.flush();
      for (const client of model.clients) {
        const expected = new Map([...client.expected].filter(([, texts]) => texts.length > 0));
        expect(received(client)).toEqual(expected);
      }
      expect(model.node.fanout.depth).toBe(0);
    }),
    { numRuns },
  );
});
