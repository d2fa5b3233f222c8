import { loadConfig } from '../../../config/load.ts';
import type { PostWebhook } from '../../../lib/webhooks/post.ts';
import { problemsOf } from '../../support/journal-problems.ts';
import { ok } from '../../support/receiver.ts';
import { type AppState, disagreements, type Witness } from '../cluster/agreement.ts';
import { type AppName, appNames, apps, isPresence } from '../cluster/apps.ts';
import { leftoversIn } from '../cluster/leftovers.ts';
import { type Allowances, foldWitness, toldProblems } from '../cluster/told-problems.ts';
import { ModelStore } from '../store-model/model-store.ts';
import type { PartitionState } from '../store-model/partition-state.ts';
import { postTo, VirtualReceiver } from '../virtual-receiver.ts';
import { SimClients } from './sim-clients.ts';
import { type Plant, SimNode } from './sim-node.ts';
import { appStateIn, keysOf } from './stored.ts';
import {
  type EndpointName,
  endpoints,
  type NodeFault,
  slotCount,
  type Step,
  type StoreFault,
} from './story.ts';
import type { VirtualClock } from './virtual-clock.ts';

const graceMs = 3_000;
const leaseMs = 8_000;
const timeoutMs = 4_000;
const partitions = 2;
/** Until links that were cut work again, and leases are renewed. */
const tellMs = 1_500;
/** The longest backoff, an open breaker and a hanging request, several times over. */
const recoverMs = 180_000;

const memberKinds = ['member_added', 'member_removed'] as const;
const urls: Readonly<Record<EndpointName, string>> = {
  one: 'http://one.test/',
  rooms: 'http://rooms.test/',
  two: 'http://two.test/',
};

const { config } = loadConfig({
  env: {},
  overrides: {
    apps: [
      {
        ...apps.one,
        subscriptionCount: true,
        webhooks: [
          { id: 'one', url: urls.one },
          {
            id: 'rooms',
            url: urls.rooms,
            events: [...memberKinds],
            channels: { startsWith: 'presence-', endsWith: 'a' },
            batching: false,
          },
        ],
      },
      { ...apps.two, subscriptionCount: true, webhooks: [{ id: 'two', url: urls.two }] },
    ],
    cluster: { leaseMs, renewMs: 2_000, partitions },
    webhooks: { graceMs, timeoutMs },
    cleanup: { batchWindowMs: 5, announceWindowMs: 5 },
    drain: { waveMs: 10 },
  },
});

/** Nodes beside a model of the store, their clients and their endpoints, in virtual time. */
export class ClusterWorld {
  readonly receivers: Readonly<Record<EndpointName, VirtualReceiver>> = {
    one: new VirtualReceiver(apps.one, timeoutMs),
    rooms: new VirtualReceiver(apps.one, timeoutMs),
    two: new VirtualReceiver(apps.two, timeoutMs),
  };
  readonly #counts = { kills: 0, starts: 0, stops: 0, pauses: 0, outages: 0, losses: 0 };
  readonly #clock: VirtualClock;
  readonly #plant: Plant;
  readonly #store = new ModelStore(partitions);
  readonly #slots: (SimNode | undefined)[] = Array.from({ length: slotCount }, () => undefined);
  readonly #made: SimNode[] = [];
  readonly #clients: SimClients;
  /** Endpoints whose next poster dies. */
  readonly #deadly = new Set<EndpointName>();
  #mayMissVisits = false;
  /** A node that knew of no other store came first to one that was wiped: to it nothing is lost. */
  #isLossUnknown = false;
  #storeAwayUntilMs = 0;
  /** The store knows the endpoints: no failover is from before. */
  #listedAtMs = 0;

  constructor(clock: VirtualClock, plant: Plant = {}) {
    this.#clock = clock;
    this.#plant = plant;
    this.#clients = new SimClients(clock, (slot) => this.#nodeAt(slot));
  }

  /** What happened, to see that the stories are worth telling. */
  get tally() {
    const journals = endpoints.map((name) => this.receivers[name].journal);
    const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
    const metrics = this.#made.map(({ stores }) => stores.node.metrics);
    const causedBy = (wanted: string): number =>
      sumOf(journals.map(({ events }) => events.filter(({ cause }) => cause === wanted).length));
    return {
      ...this.#counts,
      begunAnew: sumOf(metrics.flatMap(({ begunAnew }) => Object.values(begunAnew))),
      replays: sumOf(metrics.map(({ replays }) => replays)),
      events: sumOf(journals.map(({ eventCount }) => eventCount)),
      attempts: sumOf(journals.map(({ attempts }) => attempts.length)),
      failures: sumOf(journals.map(({ attempts, taken }) => attempts.length - taken.length)),
      presumed: causedBy('node_lost'),
      reconciled: causedBy('reconciled'),
    };
  }

  async start(): Promise<void> {
    await this.#startNode(0);
    await this.#startNode(1);
  }

  async run(step: Step): Promise<void> {
    await this.#do(step);
    if (step.thenMs > 0) await this.#clock.elapse(step.thenMs);
  }

  /** What is wrong when the faults are over and all of it had time to become well. */
  async problemsAtEnd(): Promise<readonly string[]> {
    await this.#heal();
    const problems = [...(await this.#problemsWhenWell())];
    if (problems.length === 0) {
      await this.#clock.elapse(leaseMs + graceMs);
      problems.push(...this.#disagreements().map((problem) => `it did not last: ${problem}`));
    }
    if (problems.length === 0) problems.push(...(await this.#answeredWrongly()));
    if (problems.length === 0) problems.push(...(await this.#everybodyGoes()));
    return [...problems, ...this.#violations()];
  }

  get #live(): readonly SimNode[] {
    return this.#slots.filter((node): node is SimNode => node?.isUp === true);
  }

  #nodeAt(slot: number): SimNode | undefined {
    for (let offset = 0; offset < slotCount; offset++) {
      const node = this.#slots[(slot + offset) % slotCount];
      if (node?.isUp === true) return node;
    }
    return undefined;
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'wait':
        await this.#clock.elapse(step.ms);
        break;
      case 'start':
        await this.#startWhereFree();
        break;
      case 'kill at take':
        this.#deadly.add(step.endpoint);
        break;
      case 'endpoint':
        this.receivers[step.endpoint].behave(step.behaviour);
        break;
      case 'store away':
      case 'wipe':
      case 'fail over':
        await this.#strikeStore(step);
        break;
      case 'kill':
      case 'stop':
      case 'pause':
      case 'cut link':
      case 'stall link':
      case 'lose answers':
      case 'lose requests':
        await this.#strikeNode(step, this.#nodeAt(step.node));
        break;
      case 'join':
      case 'leave':
      case 'flap':
      case 'close':
      case 'cut':
      case 'reconnect':
        this.#clients.run(step);
        break;
    }
  }

  async #strikeNode(fault: NodeFault, node: SimNode | undefined): Promise<void> {
    if (node === undefined) return;
    switch (fault.do) {
      case 'kill':
        this.#kill(node, fault.flee);
        break;
      case 'stop':
        this.#counts.stops += 1;
        node.resume();
        await this.#stopNode(node);
        break;
      case 'pause':
        this.#counts.pauses += 1;
        this.#mayMissVisits = true;
        node.pause();
        this.#later(fault.ms, () => node.resume());
        break;
      case 'cut link':
        this.#mayMissVisits = true;
        node.cutLink();
        this.#later(fault.ms, () => this.#healLink(node));
        break;
      case 'stall link':
        this.#mayMissVisits = true;
        node.stall(fault.ms);
        break;
      case 'lose answers':
        node.link.loseAnswers(fault.count);
        break;
      case 'lose requests':
        node.link.loseRequests(fault.count);
        break;
    }
  }

  async #strikeStore(fault: StoreFault): Promise<void> {
    this.#mayMissVisits = true;
    switch (fault.do) {
      case 'store away':
        this.#storeAway(fault.ms);
        break;
      case 'wipe':
        this.#counts.losses += 1;
        this.#store.wipe();
        break;
      case 'fail over':
        this.#counts.losses += 1;
        await this.#failOver(fault.lostMs, fault.ms);
        break;
    }
  }

  /** Nodes that know what was lost live until they have told of it: otherwise what they told is told of others. */
  async #failOver(lostMs: number, ms: number): Promise<void> {
    this.#deadly.clear();
    for (const node of this.#live) node.resume();
    this.#storeAwayUntilMs = 0;
    this.#storeAway(ms);
    this.#store.failOver(Math.max(this.#listedAtMs, this.#clock.nowMs - lostMs));
    await this.#clock.elapse(ms + tellMs);
  }

  async #startWhereFree(): Promise<void> {
    const free = this.#slots.findIndex((node) => node?.isUp !== true);
    if (free !== -1 && this.#clock.nowMs >= this.#storeAwayUntilMs) await this.#startNode(free);
  }

  async #startNode(slot: number): Promise<void> {
    this.#counts.starts += 1;
    const isEmpty = this.#states().some(({ store }) => store === undefined);
    if (this.#counts.losses > 0 && isEmpty) this.#isLossUnknown = true;
    const node = new SimNode({
      name: String(this.#made.length + 1).padStart(12, '0'),
      clock: this.#clock,
      store: this.#store,
      config,
      post: (poster) => this.#postOf(poster),
      plant: this.#plant,
    });
    this.#slots[slot] = node;
    this.#made.push(node);
    await this.#clock.until(`the start of node ${node.name}`, node.start());
    this.#listedAtMs = this.#clock.nowMs;
  }

  async #stopNode(node: SimNode): Promise<void> {
    await this.#clock.until(`the stop of node ${node.name}`, node.stop());
  }

  #kill(node: SimNode, flee: boolean): void {
    this.#counts.kills += 1;
    const nextSlot = this.#slots.indexOf(node) + 1;
    this.#clients.nodeDies(node, () => node.kill(), flee ? nextSlot : undefined);
  }

  #storeAway(ms: number): void {
    this.#counts.outages += 1;
    this.#storeAwayUntilMs = Math.max(this.#storeAwayUntilMs, this.#clock.nowMs + ms);
    for (const node of this.#live) node.cutLink();
    this.#later(ms, () => {
      for (const node of this.#live) this.#healLink(node);
    });
  }

  #healLink(node: SimNode): void {
    if (this.#clock.nowMs >= this.#storeAwayUntilMs) node.healLink();
  }

  #later(ms: number, work: () => void): void {
    this.#clock.as(undefined, () => setTimeout(work, ms));
  }

  #postOf(poster: SimNode): PostWebhook {
    const post = postTo(new Map(endpoints.map((name) => [urls[name], this.receivers[name]])));
    return async (endpoint, headers, body) => {
      const result = await post(endpoint, headers, body);
      const name = endpoints.find((one) => urls[one] === endpoint.url.href);
      const isTaken = result.kind === 'answered' && result.status === 200;
      if (isTaken && name !== undefined && this.#deadly.delete(name)) this.#kill(poster, false);
      return result;
    };
  }

  /** The faults are over. */
  async #heal(): Promise<void> {
    this.#storeAwayUntilMs = 0;
    this.#deadly.clear();
    for (const node of this.#live) {
      node.resume();
      node.healLink();
    }
    for (const name of endpoints) this.receivers[name].behave(ok);
    // What is sent on a stalled link arrives when that is over, and what is sent later comes behind it.
    await this.#clock.elapse(Math.max(0, ...this.#live.map((node) => node.stalledForMs)));
    if (this.#live.length === 0) await this.#startNode(0);
  }

  async #problemsWhenWell(): Promise<readonly string[]> {
    let problems: readonly string[] = ['there was no time'];
    for (let waitedMs = 0; problems.length > 0 && waitedMs < recoverMs; waitedMs += 2_000) {
      await this.#clock.elapse(2_000);
      problems = this.#disagreements();
    }
    return problems;
  }

  /** R6, and nothing left behind in the store. */
  #disagreements(): readonly string[] {
    const { unsettled } = this.#clients;
    if (unsettled.length > 0) return unsettled;
    const found = appNames.flatMap((app) => {
      const truth = this.#clients.truthOf(app);
      const witnesses: readonly Witness[] = [
        { name: `store, app ${app}`, state: appStateIn(this.#states(), app) },
        foldWitness(app, this.receivers[app].journal, truth, this.#allowances()),
        ...this.#clients.witnessesOf(app),
      ];
      return witnesses.flatMap((witness) => disagreements(truth, witness));
    });
    return [...found, ...this.#leftovers(this.#live.length)];
  }

  /** Every node is asked for what it answers to others. */
  async #answeredWrongly(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const node of this.#live) {
      for (const app of appNames) {
        const asked = this.#clock.within(node.process, () => stateOf(node, app));
        const state = await this.#clock.until(`a question to node ${node.name}`, asked);
        const witness = { name: `node ${node.name}, app ${app}`, state };
        found.push(...disagreements(this.#clients.truthOf(app), witness));
      }
    }
    return found;
  }

  /** Every node stops: endpoints are told of the last leave, and nothing is left in the store. */
  async #everybodyGoes(): Promise<readonly string[]> {
    for (const node of this.#live) await this.#stopNode(node);
    const folds = appNames.map((app) =>
      foldWitness(app, this.receivers[app].journal, {}, this.#allowances()),
    );
    return [...folds.flatMap((fold) => disagreements({}, fold)), ...this.#leftovers(0)].map(
      (problem) => `after every node stopped: ${problem}`,
    );
  }

  /** What must not be, whatever happened. */
  #violations(): readonly string[] {
    const allowed = this.#allowances();
    const allowances = { ...allowed, mayForget: allowed.mayForget || this.#isLossUnknown };
    const rooms = this.receivers.rooms.journal;
    return [
      ...this.#clients.problems,
      ...appNames.flatMap((app) =>
        toldProblems(app, this.receivers[app].journal, this.#clients.visitsOf(app), allowances),
      ),
      ...problemsOf(rooms, {
        kinds: memberKinds,
        ownsChannel: (channel) => channel === 'presence-a',
        rebatches: allowances.losesStore,
        mayForget: allowances.mayForget,
      }).map((problem) => `rooms: ${problem}`),
      ...rooms.attempts
        .filter(({ events }) => events.length !== 1)
        .map(({ webhookId }) => `rooms: ${webhookId} holds several events, batching is off`),
    ];
  }

  #allowances(): Allowances {
    const { losses, kills, stops } = this.#counts;
    const losesStore = losses > 0;
    return { losesStore, mayForget: losesStore && kills + stops > 0, mayMissVisits: this.#mayMissVisits };
  }

  #leftovers(liveNodes: number): readonly string[] {
    const { nowMs } = this.#clock;
    return leftoversIn({ nowMs, keys: keysOf(this.#states(), nowMs) }, liveNodes);
  }

  #states(): readonly PartitionState[] {
    return Array.from({ length: partitions }, (_, partition) => this.#store.state(partition));
  }
}

async function stateOf({ stores: { membership } }: SimNode, app: AppName): Promise<AppState> {
  const state: Record<string, { readonly users: readonly string[]; readonly subscriptions: number }> = {};
  for (const { channel, subscriptions } of await membership.channels(app, '')) {
    const users = isPresence(channel) ? await membership.users(app, channel) : [];
    state[channel] = { users, subscriptions };
  }
  return state;
}
