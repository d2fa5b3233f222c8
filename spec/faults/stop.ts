import { partitionOf } from '../../lib/cluster/partition.ts';
import { type AppState, disagreements } from '../chaos/cluster/agreement.ts';
import { isPresence } from '../chaos/cluster/apps.ts';
import { leftoversIn } from '../chaos/cluster/leftovers.ts';
import { pause, untilNone } from '../chaos/cluster/pause.ts';
import { RigCluster } from '../chaos/cluster/rig-cluster.ts';
import type { RigNode } from '../chaos/cluster/rig-node.ts';
import { dumpStore, type Stored, type StoreDump } from '../chaos/cluster/store-dump.ts';
import { SwarmSocket } from '../chaos/cluster/swarm-socket.ts';
import type { Times } from '../chaos/cluster/times.ts';
import { readMetrics } from '../support/gauges.ts';
import type { Attempt } from '../support/journal.ts';
import { problemsOf } from '../support/journal-problems.ts';
import { ok } from '../support/receiver.ts';
import type { Outcome } from './outcome.ts';
import { clientWitness, endpointWitness, union } from './witness.ts';

export interface StopOptions {
  readonly times: Times;
  /** From SIGSTOP to SIGCONT; longer than the lease. */
  readonly stopMs: number;
}

const partitions = 16;
const settleMs = 60_000;
/** Enough of each kind that every partition has some. */
const perKind = 40;

/**
 * An owner of partitions is paused in the middle of deliveries that fail. Others take it for dead and deliver; when it goes
 * on it may change nothing of what they did, and tell nobody what they told.
 */
export async function pauseAnOwner(options: StopOptions): Promise<Outcome> {
  const cluster = await RigCluster.start({
    nodes: 2,
    appendfsync: 'everysec',
    times: options.times,
    settings: { cleanup: {}, drain: {}, log: { level: 'debug' } },
  });
  const scene = new Scene(cluster, options);
  try {
    return await scene.run();
  } finally {
    scene.stop();
    await cluster.stop();
  }
}

class Scene {
  readonly #cluster: RigCluster;
  readonly #options: StopOptions;
  readonly #stale: RigNode;
  readonly #other: RigNode;
  readonly #sockets = new Set<SwarmSocket>();
  readonly #lost: string[] = [];

  constructor(cluster: RigCluster, options: StopOptions) {
    const [stale, other] = cluster.nodes;
    if (stale === undefined || other === undefined) throw new Error('it takes two nodes');
    this.#cluster = cluster;
    this.#options = options;
    this.#stale = stale;
    this.#other = other;
  }

  async run(): Promise<Outcome> {
    const { journal } = this.#cluster.receivers.one;
    const stayer = this.#connect('stayer', this.#stale, 'stay');
    const mover = this.#connect('mover', this.#stale, 'move');
    this.#connect('other', this.#other, 'other');
    const early = await untilNone(() => this.#wrong(), settleMs);
    if (early.length > 0) return { figures: {}, problems: early };
    const holders = holdersIn(await this.#dump());

    await this.#cluster.judge('one', { kind: 'status', status: 500 });
    this.#connect('late', this.#other, 'late');
    await journal.until(({ attempts }) => {
      const failed = attempts.filter(({ events }) =>
        events.some(({ channel }) => channel.includes('-late-')),
      );
      return new Set(failed.map(posterOf)).size === this.#cluster.nodes.length;
    });

    const stoppedAtMs = Date.now();
    this.#stale.pause();
    // Of its clients one goes to the other node, one waits for an answer.
    mover.cut();
    this.#sockets.delete(mover);
    this.#connect('mover', this.#other, 'move');
    this.#sockets.delete(stayer);
    await pause(this.#options.times.cluster.leaseMs);
    await this.#cluster.judge('one', ok);
    const { stopMs } = this.#options;
    const alone = await untilNone(() => this.#wrong([this.#other]), stopMs);
    const takenOverMs = Date.now() - stoppedAtMs;
    await pause(stopMs - takenOverMs);
    const before = await this.#dump();
    const continuedAtMs = Date.now();
    this.#stale.resume();

    this.#sockets.add(stayer);
    const late = await untilNone(() => this.#wrong(), settleMs);
    const convergedMs = Date.now() - continuedAtMs;
    const after = await this.#dump();
    const anew = (await readMetrics(this.#stale.adminPort)).byLabel(
      'spillway_cluster_begun_anew_total',
      'cause',
    );
    const begun = anew.get('fenced') ?? 0;
    const posts = this.#postsSince(continuedAtMs);
    const otherHolders = holdersIn(before);
    const reused = [...holdersIn(after)].filter((it) => holders.has(it) && !otherHolders.has(it));
    return {
      figures: {
        takenOverMs,
        convergedMs,
        begunAnewPartitions: begun,
        withheld: this.#logged('webhook.withheld').length,
        postsOfStaleAfter: posts.length,
        repeats: journal.taken.length - new Set(journal.taken.map(({ webhookId }) => webhookId)).size,
      },
      problems: [
        ...alone.map((problem) => `before it went on: ${problem}`),
        ...late,
        ...problemsOf(journal),
        ...this.#cluster.problems,
        ...[...this.#sockets].flatMap(({ view }) => view.problems),
        ...this.#lost.map((user) => `${user} lost its connection`),
        ...(begun === partitions ? [] : [`it began anew in ${begun} of ${partitions} partitions`]),
        ...reused.map((holder) => `it wrote as ${holder} again`),
        ...changesBetween(before, after, 'move'),
        ...posts.flatMap((attempt) => this.#withoutOwnership(attempt, continuedAtMs)),
      ],
    };
  }

  stop(): void {
    for (const socket of this.#sockets) socket.cut();
  }

  #connect(user: string, node: RigNode, kind: string): SwarmSocket {
    const seat = { app: 'one', user: `one-${user}` } as const;
    const name = `${user} on ${node.name}`;
    const onGone = (): unknown => this.#lost.push(name);
    const socket = new SwarmSocket(name, seat, node.target?.port ?? 0, channelsFor(kind), onGone);
    this.#sockets.add(socket);
    return socket;
  }

  async #wrong(nodes: readonly RigNode[] = this.#cluster.nodes): Promise<readonly string[]> {
    const sockets = [...this.#sockets];
    const asked = sockets.flatMap(({ view, isComing }) => (isComing ? [view.name] : view.asked));
    if (asked.length > 0) return asked.map((name) => `${name}: not answered yet`);
    const truth = union(
      ...sockets.map(
        ({ seat, view }): AppState =>
          Object.fromEntries(
            view.joined.map((channel) => [
              channel,
              { users: isPresence(channel) ? [seat.user] : [], subscriptions: 1 },
            ]),
          ),
      ),
    );
    const answers = nodes.map(async ({ name, publisher }) => ({
      name: `node ${name}`,
      state: (await publisher?.stateOf('one')) ?? {},
    }));
    const witnesses = [
      ...(await Promise.all(answers)),
      ...sockets.map(({ view }) => clientWitness(view)),
      endpointWitness(this.#cluster.receivers.one.journal),
    ];
    const found = witnesses.flatMap((witness) => disagreements(truth, witness));
    return found.length > 0 ? found : leftoversIn(await this.#dump(), nodes.length);
  }

  #dump(): Promise<StoreDump> {
    return dumpStore(this.#cluster.redis?.port ?? 0);
  }

  /** What the paused node logged. */
  #logged(msg: string): readonly Readonly<Record<string, unknown>>[] {
    return this.#stale.lines.flat().filter((line) => line['msg'] === msg);
  }

  #postsSince(sinceMs: number): readonly Attempt[] {
    const { attempts } = this.#cluster.receivers.one.journal;
    return attempts.filter((attempt) => attempt.atMs >= sinceMs && posterOf(attempt) === this.#stale.name);
  }

  /** A request of the node that was paused, in a partition that it had not been given back by then. */
  #withoutOwnership({ atMs, events, webhookId }: Attempt, continuedAtMs: number): readonly string[] {
    const partition = partitionOf('one', events[0]?.channel ?? '', partitions);
    const isOwned = this.#logged('cluster.owned').some((line) => {
      const ownedAtMs = new Date(line['time'] as number | string).getTime();
      return line['partition'] === partition && ownedAtMs >= continuedAtMs && ownedAtMs <= atMs;
    });
    return isOwned
      ? []
      : [`${webhookId}: it sent a request for partition ${partition}, which was not its own`];
  }
}

function channelsFor(kind: string): readonly string[] {
  return Array.from({ length: perKind }, (_, index) => [
    `plain-${kind}-${index}`,
    `presence-${kind}-${index}`,
  ]).flat();
}

function posterOf({ headers }: Attempt): string {
  return headers['x-rig-node'] ?? '';
}

function holdersIn({ keys }: StoreDump): ReadonlySet<string> {
  const leases = [...keys].flatMap(([key, stored]) =>
    key.endsWith('}:lease') && stored.type === 'zset' ? Object.keys(stored.scores) : [],
  );
  return new Set(leases);
}

/**
 * Channels of that kind, with numbers of events, holders and users. Not their versions: the node may assert, under its new
 * name, sockets whose end it has not heard of yet.
 */
function changesBetween(before: StoreDump, after: StoreDump, kind: string): readonly string[] {
  const textOf = (stored: Stored | undefined): string =>
    stored?.type === 'hash'
      ? JSON.stringify(Object.entries({ ...stored.fields, '#v': '' }).sort())
      : 'nothing';
  return [...new Set([...before.keys.keys(), ...after.keys.keys()])]
    .filter((key) => key.includes(`-${kind}-`))
    .filter((key) => textOf(before.keys.get(key)) !== textOf(after.keys.get(key)))
    .map((key) => `${key} was ${textOf(before.keys.get(key))}, is ${textOf(after.keys.get(key))}`);
}
