import { disagreements, type Witness } from '../chaos/cluster/agreement.ts';
import { type AppName, appNames, channels, seatsFor } from '../chaos/cluster/apps.ts';
import { leftoversIn } from '../chaos/cluster/leftovers.ts';
import { pause, untilNone } from '../chaos/cluster/pause.ts';
import type { RigNode } from '../chaos/cluster/rig-node.ts';
import { dumpStore } from '../chaos/cluster/store-dump.ts';
import { Swarm } from '../chaos/cluster/swarm.ts';
import { type Allowances, foldWitness, toldProblems } from '../chaos/cluster/told-problems.ts';
import { readMetrics } from '../support/gauges.ts';
import { seededRandom } from '../support/late-stores.ts';
import type { Receiver } from '../support/receiver.ts';

/** Nodes, endpoints and a store that a load is put on. */
export interface Loadable {
  readonly nodes: readonly RigNode[];
  readonly receivers: Readonly<Record<AppName, Receiver>>;
  /** Of the Redis that holds the state now. */
  readonly redisPort: () => number;
}

interface Settled {
  readonly tookMs: number;
  readonly late: readonly string[];
  readonly problems: readonly string[];
}

const stepEveryMs = 12;
const convergeMs = 60_000;

/** A cluster under a load of clients who come, go and publish, for as long as something else goes on. */
export class Loaded {
  readonly #cluster: Loadable;
  readonly #allowances: Allowances;
  readonly swarm: Swarm;
  readonly #random: () => number;

  constructor(cluster: Loadable, allowances: Allowances, seed: number, sockets = 40) {
    this.#cluster = cluster;
    this.#allowances = allowances;
    this.#random = seededRandom(seed);
    this.swarm = new Swarm(seatsFor(sockets), () => this.#oneOf(this.#targets), seededRandom(seed + 1));
    this.swarm.fill();
  }

  get tally(): Readonly<Record<string, number>> {
    return this.swarm.tally;
  }

  /** Clients come and go until that is over. */
  async during(something: Promise<unknown>): Promise<void> {
    const state = { isOver: false };
    const over = something.finally(() => {
      state.isOver = true;
    });
    while (!state.isOver) {
      this.swarm.step();
      if (this.#random() < 0.3) this.#tick();
      await pause(stepEveryMs);
    }
    await over;
  }

  /**
   * The load rests: how long until all agree; in what they did not when it took longer than that (`late`), and in what they
   * never did (`problems`).
   */
  async settle(withinMs: number): Promise<Settled> {
    const startedMs = performance.now();
    const late = await untilNone(() => this.#disagreements(), withinMs);
    const problems = late.length === 0 ? [] : await untilNone(() => this.#disagreements(), convergeMs);
    return { tookMs: Math.round(performance.now() - startedMs), late, problems };
  }

  /** What must not be, whatever happened. */
  problems(): readonly string[] {
    const { nodes, receivers } = this.#cluster;
    return [
      ...nodes.flatMap(({ problems }) => problems),
      ...this.swarm.problems,
      ...appNames.flatMap((app) =>
        toldProblems(app, receivers[app].journal, this.swarm.visitsOf(app), this.#allowances),
      ),
    ];
  }

  /** Events that endpoints were told with that cause. */
  toldAs(cause: string): number {
    const journals = appNames.map((app) => this.#cluster.receivers[app].journal);
    return journals.flatMap(({ events }) => events.filter((event) => event.cause === cause)).length;
  }

  /** Of all nodes together. */
  async counted(metric: string, label: string, value: string): Promise<number> {
    const readings = await Promise.all(this.#cluster.nodes.map(({ adminPort }) => readMetrics(adminPort)));
    return readings.reduce((sum, each) => sum + (each.byLabel(metric, label).get(value) ?? 0), 0);
  }

  async countedInAll(metric: string): Promise<number> {
    const readings = await Promise.all(this.#cluster.nodes.map(({ adminPort }) => readMetrics(adminPort)));
    return readings.reduce((sum, each) => sum + each.value(metric), 0);
  }

  stop(): void {
    this.swarm.stop();
  }

  get #targets() {
    return this.#cluster.nodes.flatMap(({ target }) => target ?? []);
  }

  #tick(): void {
    const publisher = this.#oneOf(this.#cluster.nodes.flatMap((node) => node.publisher ?? []));
    void publisher?.tick(this.#oneOf(appNames) ?? 'one', this.#oneOf(channels) ?? '');
  }

  #oneOf<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  /** R6, and nothing left behind in Redis. */
  async #disagreements(): Promise<readonly string[]> {
    const unsettled = this.swarm.unsettled();
    if (unsettled.length > 0) return unsettled;
    const found = await Promise.all(appNames.map((app) => this.#disagreementsIn(app)));
    if (found.flat().length > 0) return found.flat();
    return leftoversIn(await dumpStore(this.#cluster.redisPort()), this.#cluster.nodes.length);
  }

  async #disagreementsIn(app: AppName): Promise<readonly string[]> {
    const { nodes, receivers } = this.#cluster;
    const truth = this.swarm.truthOf(app);
    const answers = nodes.map(async ({ name, publisher }): Promise<Witness> => {
      return { name: `node ${name}, app ${app}`, state: (await publisher?.stateOf(app)) ?? {} };
    });
    return [
      ...(await Promise.all(answers)),
      foldWitness(app, receivers[app].journal, truth, this.#allowances),
      ...this.swarm.witnessesOf(app),
    ].flatMap((witness) => disagreements(truth, witness));
  }
}
