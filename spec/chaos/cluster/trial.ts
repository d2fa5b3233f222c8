import { seededRandom } from '../../support/late-stores.ts';
import { disagreements } from './agreement.ts';
import { appNames, channels, seatsFor } from './apps.ts';
import { drawPlan, type FaultKinds, type Plan, textOf, type TimedFault } from './faults.ts';
import { leftoversIn } from './leftovers.ts';
import { pause, untilNone } from './pause.ts';
import { RigCluster } from './rig-cluster.ts';
import type { StartProcess } from './rig-node.ts';
import { dumpStore } from './store-dump.ts';
import { strike } from './strike.ts';
import { Swarm } from './swarm.ts';
import { aftermathMs, type Times } from './times.ts';
import { type Allowances, allowancesOf, foldWitness, toldProblems } from './told-problems.ts';

export interface TrialOptions {
  readonly seed: number;
  readonly kinds: FaultKinds;
  readonly times: Times;
  readonly sockets?: number;
  /** Instead of one drawn from the seed. */
  readonly plan?: Plan;
  /** How the processes of nodes are started; default: as the product starts. */
  readonly startProcess?: StartProcess | undefined;
}

export interface TrialResult {
  /** Each says what, where and with which seed; empty: all promises were kept. */
  readonly problems: readonly string[];
  /** Every one of them, without the plan and the journals that `problems` has beside the first. */
  readonly found: readonly string[];
  /** What there was in the trial, to see that it was worth while. */
  readonly tally: Readonly<Record<string, number>>;
  /** Log lines at level `error`, for those who look for a cause. */
  readonly complaints: readonly string[];
}

const stepEveryMs = 12;
/** A fault that is not over by then never will be: three nodes stop and start on a busy machine. */
const longestChurnMs = 90_000;
const hearMs = 5_000;

/** A cluster, its clients and its endpoints through one timeline of faults, and what is wrong with them afterwards. */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  const { times, startProcess } = options;
  const random = seededRandom(options.seed);
  const plan = options.plan ?? drawPlan(options.kinds, times, random);
  const cluster = await RigCluster.start({ ...plan, times, startProcess });
  const trial = new Trial(cluster, plan, options, random);
  try {
    return await trial.run();
  } finally {
    await trial.stop();
  }
}

class Trial {
  readonly #cluster: RigCluster;
  readonly #plan: Plan;
  readonly #options: TrialOptions;
  readonly #random: () => number;
  readonly #swarm: Swarm;
  readonly #allowances: Allowances;

  constructor(cluster: RigCluster, plan: Plan, options: TrialOptions, random: () => number) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#options = options;
    this.#random = random;
    this.#allowances = allowancesOf(plan);
    this.#swarm = new Swarm(
      seatsFor(options.sockets ?? 30),
      () => this.#anyNode(),
      seededRandom(options.seed + 1),
    );
  }

  async run(): Promise<TrialResult> {
    const { times } = this.#options;
    const problems: string[] = [];
    this.#swarm.fill();
    problems.push(...(await this.#churn()));
    const calmMs = performance.now();
    problems.push(...(await untilNone(() => this.#disagreements(), times.convergeMs)));
    const convergedMs = Math.round(performance.now() - calmMs);
    if (problems.length === 0) {
      problems.push(...(await this.#everybodyHearsAtLast()));
      problems.push(...(await this.#lasts(aftermathMs(times))));
    }
    if (problems.length === 0) problems.push(...(await this.#everybodyGoes()));
    problems.push(...this.#violations());
    return this.#result(problems, convergedMs);
  }

  async stop(): Promise<void> {
    this.#swarm.stop();
    await this.#cluster.stop();
  }

  /** Until the faults are over; answers which never were. */
  async #churn(): Promise<readonly string[]> {
    const { churnMs } = this.#options.times;
    const striking = new Set(this.#plan.faults);
    const failures: string[] = [];
    for (const timed of this.#plan.faults) {
      void this.#strike(timed).then(
        () => striking.delete(timed),
        (error: unknown) => failures.push(`the rig failed at ${JSON.stringify(timed)}: ${String(error)}`),
      );
    }
    const startedMs = performance.now();
    const elapsed = (): number => performance.now() - startedMs;
    while (elapsed() < churnMs || (striking.size > failures.length && elapsed() < longestChurnMs)) {
      this.#swarm.step();
      if (this.#random() < 0.3) this.#tick();
      await pause(stepEveryMs);
    }
    if (!this.#cluster.nodes.some(({ isUp }) => isUp)) await this.#cluster.nodes[0]?.start();
    return [
      ...failures,
      ...[...striking].map(({ fault }) => `the fault was never over: ${JSON.stringify(fault)}`),
    ];
  }

  async #strike({ atMs, fault }: TimedFault): Promise<void> {
    await pause(atMs);
    await strike(fault, this.#cluster, this.#swarm);
  }

  #tick(): void {
    const up = this.#cluster.nodes.flatMap(({ publisher }) => publisher ?? []);
    const publisher = up[Math.floor(this.#random() * up.length)];
    const channel = channels[Math.floor(this.#random() * channels.length)] ?? '';
    void publisher?.tick(this.#random() < 0.6 ? 'one' : 'two', channel);
  }

  /** R6, and nothing left behind in Redis. */
  async #disagreements(): Promise<readonly string[]> {
    const unsettled = this.#swarm.unsettled();
    if (unsettled.length > 0) return unsettled;
    const found = await Promise.all(appNames.map((app) => this.#disagreementsIn(app)));
    const { redis, nodes } = this.#cluster;
    if (redis === undefined) return found.flat();
    const leftovers = leftoversIn(await dumpStore(redis.port), nodes.filter(({ isUp }) => isUp).length);
    return [...found.flat(), ...leftovers];
  }

  async #disagreementsIn(app: (typeof appNames)[number]): Promise<readonly string[]> {
    const truth = this.#swarm.truthOf(app);
    const answers = this.#cluster.nodes.map(async ({ name, publisher }) =>
      publisher === undefined
        ? []
        : [{ name: `node ${name}, app ${app}`, state: await publisher.stateOf(app) }],
    );
    const witnesses = [
      ...(await Promise.all(answers)).flat(),
      foldWitness(app, this.#cluster.receivers[app].journal, truth, this.#allowances),
      ...this.#swarm.witnessesOf(app),
    ];
    return witnesses.flatMap((witness) => disagreements(truth, witness));
  }

  /**
   * What was on its way may not undo it. A node that just then has no answer from Redis, on a busy machine, says what it
   * knows by itself: it is asked again.
   */
  async #lasts(waitMs: number): Promise<readonly string[]> {
    await pause(waitMs);
    const undone = await this.#disagreements();
    const isRedisLost = this.#cluster.nodes.some((node) => node.hasLostRedis(waitMs));
    if (undone.length === 0 || !isRedisLost) return undone.map((problem) => `it did not last: ${problem}`);
    const left = await untilNone(() => this.#disagreements(), waitMs);
    return left.map((problem) => `it did not last: ${problem}`);
  }

  #losses(): number {
    return this.#cluster.nodes.flatMap(({ complaints }) =>
      complaints.filter((text) => text.includes('redis.lost')),
    ).length;
  }

  /** Messages are told at most once: one that a node missed while it had lost Redis, on a busy machine, is no fault. */
  async #everybodyHearsAtLast(): Promise<readonly string[]> {
    for (;;) {
      const before = this.#losses();
      const deaf = await this.#everybodyHears();
      if (deaf.length === 0 || this.#losses() === before) return deaf;
    }
  }

  /** A message from each node reaches every subscriber on every node. */
  async #everybodyHears(): Promise<readonly string[]> {
    const told = this.#cluster.nodes.flatMap(({ publisher }) =>
      publisher === undefined
        ? []
        : appNames.flatMap((app) =>
            Object.keys(this.#swarm.truthOf(app)).map(async (channel) => {
              const n = await publisher.publish(app, channel);
              return untilNone(() => this.#swarm.deafTo(app, channel, publisher.name, n), hearMs);
            }),
          ),
    );
    return (await Promise.all(told)).flat();
  }

  /** Every node stops, one after the other: endpoints are told of the last leave, and no node leaves anything in Redis. */
  async #everybodyGoes(): Promise<readonly string[]> {
    const { nodes, redis, receivers } = this.#cluster;
    this.#swarm.stayAway();
    for (const node of nodes) await node.stop();
    const folds = appNames.map((app) => foldWitness(app, receivers[app].journal, {}, this.#allowances));
    const leftovers = redis === undefined ? [] : leftoversIn(await dumpStore(redis.port), 0);
    return [...folds.flatMap((fold) => disagreements({}, fold)), ...leftovers].map(
      (problem) => `after every node stopped: ${problem}`,
    );
  }

  /** The longest time from a kill to the first request that tells of what it caused. */
  #presumedWithinMs(): number {
    const killedAtMs = Math.max(0, ...this.#cluster.nodes.map(({ killedAtMs: atMs }) => atMs ?? 0));
    if (killedAtMs === 0) return 0;
    const told = new Map<string, number>();
    for (const { events, atMs } of appNames.flatMap((app) => this.#cluster.receivers[app].journal.attempts)) {
      for (const { id, cause } of events) if (cause === 'node_lost' && !told.has(id)) told.set(id, atMs);
    }
    return Math.max(0, ...[...told.values()].map((atMs) => atMs - killedAtMs));
  }

  /** What must not be, whatever happened. */
  #violations(): readonly string[] {
    const { receivers, nodes, problems } = this.#cluster;
    const mayFailToStart = this.#plan.faults.some(
      ({ fault }) => fault.kind.startsWith('redis') || fault.kind === 'link',
    );
    return [
      ...problems,
      ...(mayFailToStart ? [] : nodes.flatMap(({ failedStarts }) => failedStarts)),
      ...this.#swarm.problems,
      ...appNames.flatMap((app) =>
        toldProblems(app, receivers[app].journal, this.#swarm.visitsOf(app), this.#allowances),
      ),
    ];
  }

  #result(problems: readonly string[], convergedMs: number): TrialResult {
    const { receivers, nodes } = this.#cluster;
    const journals = appNames.map((app) => receivers[app].journal);
    const sum = (count: (journal: (typeof journals)[number]) => number): number =>
      journals.reduce((all, journal) => all + count(journal), 0);
    const seen = problems.slice(0, 20).join('\n');
    const more = problems.length > 20 ? [`and ${problems.length - 20} more`] : [];
    const { seed, kinds } = this.#options;
    return {
      problems:
        problems.length === 0
          ? []
          : [
              `seed ${seed} (${kinds}), ${textOf(this.#plan)}`,
              ...problems.slice(0, 20),
              ...more,
              ...this.#swarm.journalsNamedIn(seen).slice(0, 2),
            ],
      found: problems,
      complaints: nodes.flatMap(({ complaints }) => complaints),
      tally: {
        ...this.#swarm.tally,
        ...countsOf(this.#plan.faults.map(({ fault }) => fault.kind)),
        events: sum(({ eventCount }) => eventCount),
        attempts: sum(({ attempts }) => attempts.length),
        repeats: sum(({ taken }) => taken.length - new Set(taken.map(({ webhookId }) => webhookId)).size),
        presumed: sum(({ events }) => events.filter(({ cause }) => cause === 'node_lost').length),
        reconciled: sum(({ events }) => events.filter(({ cause }) => cause === 'reconciled').length),
        convergedMs,
        presumedWithinMs: this.#presumedWithinMs(),
      },
    };
  }

  #anyNode(): { readonly name: string; readonly port: number } | undefined {
    const there = this.#cluster.nodes.flatMap(({ target }) => target ?? []);
    return there[Math.floor(this.#random() * there.length)];
  }
}

function countsOf(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
