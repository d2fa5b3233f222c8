import { type AppState, disagreements } from '../chaos/cluster/agreement.ts';
import { isPresence } from '../chaos/cluster/apps.ts';
import { leftoversIn } from '../chaos/cluster/leftovers.ts';
import { untilNone } from '../chaos/cluster/pause.ts';
import { RigCluster } from '../chaos/cluster/rig-cluster.ts';
import { dumpStore } from '../chaos/cluster/store-dump.ts';
import { SwarmSocket } from '../chaos/cluster/swarm-socket.ts';
import { aftermathMs, type Times } from '../chaos/cluster/times.ts';
import type { ToldEvent } from '../support/journal.ts';
import { problemsOf } from '../support/journal-problems.ts';
import { Crowd } from './crowd.ts';
import { above, type Outcome } from './outcome.ts';
import { clientWitness, endpointWitness, union } from './witness.ts';

export interface KillOptions {
  readonly sockets: number;
  readonly channels: number;
  /** Channels in which the two other nodes have an observer each. */
  readonly observed: number;
  /** Everybody comes back at once, to the two others. */
  readonly reconnects: boolean;
  readonly times: Times;
  /** From the kill until observers, endpoint and HTTP API have everything. */
  readonly withinMs: number;
}

const settleMs = 60_000;

/** One of three nodes holds all sockets and dies without a word. */
export async function killOneOfThree(options: KillOptions): Promise<Outcome> {
  const cluster = await RigCluster.start({
    nodes: 3,
    appendfsync: 'everysec',
    times: options.times,
    settings: { cleanup: {}, drain: {} },
  });
  const crowd = new Crowd(options.sockets, options.channels);
  const kill = new Kill(cluster, crowd, options);
  try {
    return await kill.run();
  } finally {
    kill.stop();
    await crowd.stop();
    await cluster.stop();
  }
}

class Kill {
  readonly #cluster: RigCluster;
  readonly #crowd: Crowd;
  readonly #options: KillOptions;
  readonly #observers: SwarmSocket[] = [];
  #killedAtMs = 0;

  constructor(cluster: RigCluster, crowd: Crowd, options: KillOptions) {
    this.#cluster = cluster;
    this.#crowd = crowd;
    this.#options = options;
  }

  stop(): void {
    for (const observer of this.#observers) observer.cut();
  }

  async run(): Promise<Outcome> {
    const { reconnects, withinMs, times } = this.#options;
    const [doomed, ...survivors] = this.#cluster.nodes;
    const ports = survivors.map(({ target }) => target?.port ?? 0);
    const crowded = this.#withObservers(this.#crowd.state);
    if (reconnects) await this.#visit(ports);
    const openMs = await this.#crowd.open([doomed?.target?.port ?? 0]);
    this.#observe(ports);
    const before = await untilNone(() => this.#wrong(crowded), settleMs);
    if (before.length > 0) return { figures: { openMs }, problems: before };
    const toldBefore = this.#journal.events.length;

    doomed?.kill();
    this.#killedAtMs = Date.now();
    const reconnectMs = reconnects ? await this.#crowd.open(ports) : 0;
    const after = reconnects ? crowded : this.#withObservers({});
    const left = await untilNone(() => this.#wrong(after), settleMs);
    const convergedMs = Date.now() - this.#killedAtMs;
    // What is on its way shows itself: a reaper that goes on, a deadline that fires.
    await new Promise((done) => setTimeout(done, reconnects ? aftermathMs(times) : times.webhooks.graceMs));
    const told = this.#journal.events.slice(toldBefore);
    const lastToldMs = this.#lastFirstAttemptMs(told) - this.#killedAtMs;
    const later = await this.#wrong(after);
    return {
      figures: { openMs, reconnectMs, convergedMs, lastToldMs, told: told.length, ...this.#repeats() },
      problems: [
        ...left,
        ...later.map((problem) => `it did not last: ${problem}`),
        ...problemsOf(this.#journal),
        ...this.#observers.flatMap(({ view }) => view.problems),
        ...this.#cluster.problems,
        ...(reconnects ? above('until all were back, ms', reconnectMs, times.cluster.leaseMs) : []),
        ...(reconnects ? this.#falseLeaves(told) : this.#differsFrom(this.#dueEvents(crowded), told)),
        ...(reconnects ? [] : above('from the kill until all agree, ms', convergedMs, withinMs)),
        ...(reconnects ? [] : above('from the kill to the last event, ms', lastToldMs, withinMs)),
      ],
    };
  }

  /** Survivors have had clients before: a process that never had one runs its code for the first time. */
  async #visit(ports: readonly number[]): Promise<void> {
    await this.#crowd.open(ports);
    await this.#crowd.drop('end');
    const left = await untilNone(() => this.#wrong({}), settleMs);
    if (left.length > 0) throw new Error(left.join('; '));
  }

  get #journal() {
    return this.#cluster.receivers.one.journal;
  }

  #observe(ports: readonly number[]): void {
    for (const [index, port] of ports.entries()) {
      const user = `one-observer${index}`;
      this.#observers.push(
        new SwarmSocket(user, { app: 'one', user }, port, this.#observedChannels, () => undefined),
      );
    }
  }

  get #observedChannels(): readonly string[] {
    return Array.from({ length: this.#options.observed / 2 }, (_, index) => [
      `plain-${index}`,
      `presence-${index}`,
    ]).flat();
  }

  #withObservers(state: AppState): AppState {
    const watched = this.#observedChannels.map((channel) => {
      const users = isPresence(channel) ? ['one-observer0', 'one-observer1'] : [];
      return [channel, { users, subscriptions: 2 }] as const;
    });
    return union(state, Object.fromEntries(watched));
  }

  /** Where the survivors, the endpoint, the observers or the keys of Redis contradict the sockets. */
  async #wrong(truth: AppState): Promise<readonly string[]> {
    const observers = this.#observers.map(({ view }) => ({
      ...clientWitness(view),
      seesOnly: this.#observedChannels,
    }));
    const wrong = [...observers, endpointWitness(this.#journal)].flatMap((witness) =>
      disagreements(truth, witness),
    );
    if (wrong.length > 0) return wrong;
    const up = this.#cluster.nodes.filter(({ isUp }) => isUp);
    const answers = up.map(async ({ name, publisher }) => ({
      name: `node ${name}`,
      state: (await publisher?.stateOf('one')) ?? {},
    }));
    const nodes = (await Promise.all(answers)).flatMap((witness) => disagreements(truth, witness));
    if (nodes.length > 0) return nodes;
    return leftoversIn(await dumpStore(this.#cluster.redis?.port ?? 0), up.length);
  }

  /** All that the death of the node means to the endpoint. */
  #dueEvents(crowded: AppState): readonly string[] {
    const observed = new Set(this.#observedChannels);
    return Object.entries(crowded).flatMap(([channel, { users }]) => [
      ...users
        .filter((user) => !user.startsWith('one-observer'))
        .map((user) => `member_removed ${channel} ${user}`),
      ...(observed.has(channel) ? [] : [`channel_vacated ${channel} `]),
    ]);
  }

  #differsFrom(due: readonly string[], told: readonly ToldEvent[]): readonly string[] {
    const left = new Set(due);
    const extra = told.filter(
      ({ name, channel, user_id: user = '', cause }) =>
        !left.delete(`${name} ${channel} ${user}`) || cause !== 'node_lost',
    );
    return [
      ...[...left].map((event) => `never told: ${event}`),
      ...extra.map((event) => `told and not due, or with another cause: ${JSON.stringify(event)}`),
    ];
  }

  /** Everybody is back before the lease of the dead node has run out: nobody has left. */
  #falseLeaves(told: readonly ToldEvent[]): readonly string[] {
    return told
      .filter(({ name }) => name === 'member_removed' || name === 'channel_vacated')
      .map((event) => `a leave of somebody who is there: ${JSON.stringify(event)}`);
  }

  #lastFirstAttemptMs(told: readonly ToldEvent[]): number {
    const due = new Set(told.map(({ id }) => id));
    let lastMs = this.#killedAtMs;
    for (const { events, atMs } of this.#journal.attempts) {
      if (events.some(({ id }) => due.delete(id))) lastMs = atMs;
    }
    return lastMs;
  }

  /** Requests that the endpoint took twice. */
  #repeats() {
    const { taken } = this.#journal;
    return {
      requests: taken.length,
      repeats: taken.length - new Set(taken.map(({ webhookId }) => webhookId)).size,
    };
  }
}
