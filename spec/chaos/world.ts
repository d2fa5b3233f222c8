import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { createMemoryStores, type CreateStores } from '../../lib/stores.ts';
import type { PostWebhook } from '../../lib/webhooks/post.ts';
import type { Client } from '../pipelines/running-node.ts';
import type { ToldEvent } from '../support/journal.ts';
import { foldOf, type Occupancy, problemsOf } from '../support/journal-problems.ts';
import { ok } from '../support/receiver.ts';
import { otherApp, testApp } from '../support/server.ts';
import { elapse, elapseUntil } from '../support/virtual-time.ts';
import { appOf, Model, type Turn } from './model.ts';
import { type ChannelName, type EndpointName, endpoints, graceMs, type Step, users } from './steps.ts';
import { type Spool, spoolingStores, VirtualNode, type VirtualNodeOptions } from './virtual-node.ts';
import { postTo, VirtualReceiver } from './virtual-receiver.ts';

/** What is put in the place of the product's own parts, to see that the property notices. */
export interface Sabotage {
  readonly post?: (post: PostWebhook) => PostWebhook;
  readonly createStores?: CreateStores;
  readonly onParts?: VirtualNodeOptions['onParts'];
  /** Of what a stop left, what the next start reads. */
  readonly spooled?: (lines: readonly string[]) => readonly string[];
}

export interface WorldOptions extends Sabotage {
  /** So small that backlogs are folded: then only what the deliveries lead to is compared, not each of them. */
  readonly maxBacklogBytes?: number;
}

const timeoutMs = 4_000;
/** After each step, so that what it caused is done: far less than what a wait keeps away from the grace. */
const settleMs = 20;
/** The longest backoff, an open breaker, and a hanging request, several times over. */
const recoverMs = 180_000;

const memberKinds = ['member_added', 'member_removed'] as const;
const urls: Readonly<Record<EndpointName, string>> = {
  everything: 'http://everything.test/',
  rooms: 'http://rooms.test/',
  others: 'http://others.test/',
};

const overrides = {
  apps: [
    {
      ...testApp,
      webhooks: [
        { id: 'everything', url: urls.everything },
        {
          id: 'rooms',
          url: urls.rooms,
          events: [...memberKinds],
          channels: { startsWith: 'presence-', endsWith: 'a' },
          batching: false,
        },
      ],
    },
    { ...otherApp, webhooks: [{ id: 'others', url: urls.others }] },
  ],
  cleanup: { batchWindowMs: 5, announceWindowMs: 5 },

  drain: { waveMs: 10 },
};

function configWith(maxBacklogBytes: number | undefined): Config {
  const webhooks = { graceMs, timeoutMs, ...(maxBacklogBytes === undefined ? {} : { maxBacklogBytes }) };
  return loadConfig({ env: {}, overrides: { ...overrides, webhooks } }).config;
}

/** A server, its clients and its endpoints in virtual time, and the model of what the endpoints are to be told. */
export class World {
  readonly model = new Model();
  readonly receivers: Readonly<Record<EndpointName, VirtualReceiver>> = {
    everything: new VirtualReceiver(testApp, timeoutMs),
    rooms: new VirtualReceiver(testApp, timeoutMs),
    others: new VirtualReceiver(otherApp, timeoutMs),
  };
  /** What happened, to see that the stories are worth telling. */
  readonly tally = { restarts: 0, restartsWithBacklog: 0 };
  readonly #options: WorldOptions;
  readonly #spool: Spool = { lines: [] };
  readonly #clients = new Map<number, Client>();
  #node: VirtualNode;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.#node = this.#createNode();
  }

  start(): Promise<void> {
    return elapseUntil(this.#node.start());
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'join':
        this.#join(step.socket, this.#channelFor(step.socket, step.channel));
        break;
      case 'leave':
        this.#leave(step.socket, this.#channelFor(step.socket, step.channel));
        break;
      case 'flap': {
        const channel = this.#channelFor(step.socket, step.channel);
        if (!this.model.isIn(step.socket, channel)) break;
        this.#leave(step.socket, channel);
        this.#join(step.socket, channel);
        break;
      }
      case 'close':
        this.#close(step.socket, 1000);
        break;
      case 'cut':
        this.#close(step.socket, 1006);
        break;
      case 'reconnect': {
        const channels = this.model.channelsOf(step.socket);
        this.#close(step.socket, 1006);
        for (const channel of channels) this.#join(step.socket, channel);
        break;
      }
      case 'wait':
        await elapse(step.ms);
        break;
      case 'fault':
        this.receivers[step.endpoint].behave(step.behaviour);
        break;
      case 'restart':
        await this.stop();
        this.tally.restarts += 1;
        if (!(await this.#node.isQuiet())) this.tally.restartsWithBacklog += 1;
        this.#spool.lines = this.#options.spooled?.(this.#spool.lines) ?? this.#spool.lines;
        this.#node = this.#createNode();
        await this.start();
        break;
    }
    await elapse(settleMs);
  }

  /** Sends everybody away; what endpoints do not take is spooled. */
  async stop(): Promise<void> {
    await elapseUntil(this.#node.stop());
    this.#clients.clear();
    this.model.stop(Date.now());
  }

  /** What is wrong when the faults have ended and the grace of the last leave is over. */
  async problemsWhenWell(): Promise<readonly string[]> {
    for (const name of endpoints) this.receivers[name].behave(ok);
    await elapse(graceMs * 1.5);
    for (let waitedMs = 0; waitedMs < recoverMs && !(await this.#node.isQuiet()); waitedMs += 1_000) {
      await elapse(1_000);
    }
    this.model.elapse(Date.now());
    return [
      ...((await this.#node.isQuiet()) ? [] : ['there is a backlog for endpoints that are well']),
      ...this.#problemsTold(),
      ...differences('members in the store', await this.#stored(), this.model.occupancyOf(1)),
    ];
  }

  /** What is wrong when the server has stopped: endpoints that are well have been told everything before its end. */
  async problemsAtEnd(): Promise<readonly string[]> {
    await this.stop();
    return this.#problemsTold();
  }

  #problemsTold(): readonly string[] {
    const { everything, rooms, others } = this.receivers;
    return [
      ...problemsOf(everything.journal).map((problem) => `everything: ${problem}`),
      ...problemsOf(rooms.journal, { kinds: memberKinds }).map((problem) => `rooms: ${problem}`),
      ...problemsOf(others.journal).map((problem) => `others: ${problem}`),
      ...(this.#options.maxBacklogBytes === undefined ? this.#differencesInTurns() : []),
      ...differences('fold of everything', foldOf(everything.journal.events), this.model.occupancyOf(1)),
      ...differences('fold of others', foldOf(others.journal.events), this.model.occupancyOf(2)),
      ...rooms.journal.attempts
        .filter(({ events }) => events.length !== 1)
        .map(({ webhookId }) => `rooms: ${webhookId} holds several events, batching is off`),
    ];
  }

  #differencesInTurns(): readonly string[] {
    const { everything, rooms, others } = this.receivers;
    const roomsTold = Object.entries(this.model.toldOf(1)).filter(([key]) => key.startsWith('presence-a '));
    return [
      ...differences('everything', turnsIn(everything.journal.events), this.model.toldOf(1)),
      ...differences('rooms', turnsIn(rooms.journal.events), Object.fromEntries(roomsTold)),
      ...differences('others', turnsIn(others.journal.events), this.model.toldOf(2)),
    ];
  }

  #createNode(): VirtualNode {
    const { post, createStores = createMemoryStores, onParts, maxBacklogBytes } = this.#options;
    const receivers = new Map(endpoints.map((name) => [urls[name], this.receivers[name]]));
    const network = postTo(receivers);
    return new VirtualNode({
      config: configWith(maxBacklogBytes),
      post: post?.(network) ?? network,
      createStores: spoolingStores(this.#spool, createStores),
      ...(onParts === undefined ? {} : { onParts }),
    });
  }

  /** The second app has no presence here. */
  #channelFor(socket: number, channel: ChannelName): ChannelName {
    return appOf(socket) === 1 ? channel : 'plain';
  }

  #join(socket: number, channel: ChannelName): void {
    if (this.model.isIn(socket, channel)) return;
    let client = this.#clients.get(socket);
    if (client === undefined) {
      client = this.#node.open(appOf(socket) === 1 ? testApp.key : otherApp.key);
      this.#clients.set(socket, client);
    }
    client.subscribe(channel, channel === 'plain' ? undefined : users[socket]);
    this.model.join(socket, channel, Date.now());
  }

  #leave(socket: number, channel: ChannelName): void {
    this.#clients.get(socket)?.unsubscribe(channel);
    this.model.leave(socket, channel, Date.now());
  }

  #close(socket: number, closeCode: number): void {
    const client = this.#clients.get(socket);
    if (client === undefined) return;
    this.#clients.delete(socket);
    this.#node.close(client, closeCode);
    this.model.close(socket, Date.now());
  }

  async #stored(): Promise<Occupancy> {
    const { membership } = this.#node.parts;
    const occupancy: Record<string, readonly string[]> = {};
    for (const { channel } of await membership.channels(testApp.id, '')) {
      occupancy[channel] = [...(await membership.users(testApp.id, channel))].sort();
    }
    return occupancy;
  }
}

/** What was told of each channel and member, in order. */
function turnsIn(events: readonly ToldEvent[]): Readonly<Record<string, readonly Turn[]>> {
  const turns: Record<string, Turn[]> = {};
  for (const { name, channel, user_id: user } of events) {
    const key = user === undefined ? channel : `${channel} ${user}`;
    const isComing = name === 'channel_occupied' || name === 'member_added';
    (turns[key] ??= []).push(isComing ? 'came' : 'left');
  }
  return turns;
}

function differences(
  what: string,
  actual: Readonly<Record<string, readonly string[]>>,
  expected: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const textOf = (list: readonly string[] | undefined): string => list?.join(', ') ?? 'nothing';
  const keys = [...new Set([...Object.keys(actual), ...Object.keys(expected)])];
  return keys
    .filter((key) => textOf(actual[key]) !== textOf(expected[key]))
    .map((key) => `${what}, ${key}: ${textOf(actual[key])} instead of ${textOf(expected[key])}`);
}
