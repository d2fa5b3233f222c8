import { pause, untilNone } from '../chaos/cluster/pause.ts';
import { RigCluster } from '../chaos/cluster/rig-cluster.ts';
import { SwarmSocket } from '../chaos/cluster/swarm-socket.ts';
import type { Times } from '../chaos/cluster/times.ts';
import { disagreements } from '../chaos/cluster/agreement.ts';
import type { RigNode } from '../chaos/cluster/rig-node.ts';
import { above, type Outcome } from './outcome.ts';
import { endpointWitness } from './witness.ts';

export interface AwayOptions {
  readonly times: Times;
  readonly awayMs: number;
}

const settleMs = 60_000;
const lookEveryMs = 10;
const plain = 'plain-a';
const presence = 'presence-a';
const other = 'presence-b';

/** Redis is killed and comes back later: what do two nodes do for their clients meanwhile, and when is it over? */
export async function takeRedisAway({ times, awayMs }: AwayOptions): Promise<Outcome> {
  const settings = { cleanup: {}, drain: {} };
  const cluster = await RigCluster.start({ nodes: 2, appendfsync: 'always', times, settings });
  const scene = new Scene(cluster);
  try {
    return await scene.run(awayMs);
  } finally {
    scene.stop();
    await cluster.stop();
  }
}

class Scene {
  readonly #cluster: RigCluster;
  readonly #sockets: SwarmSocket[] = [];
  readonly #problems: string[] = [];

  constructor(cluster: RigCluster) {
    this.#cluster = cluster;
  }

  async run(awayMs: number): Promise<Outcome> {
    const [a, b] = this.#cluster.nodes;
    if (a === undefined || b === undefined) throw new Error('it takes two nodes');
    const staying = this.#connect('staying', a, [plain, presence]);
    const leaving = this.#connect('leaving', a, [presence]);
    const far = this.#connect('far', b, [plain, presence]);
    await this.#until('all see all', () =>
      this.#sees([staying, leaving, far], ['far', 'leaving', 'staying']),
    );
    await this.#until('the endpoint knows all', () =>
      this.#untold({ [plain]: [], [presence]: ['one-far', 'one-leaving', 'one-staying'] }),
    );

    await this.#cluster.onRedis((redis) => redis.kill());
    const awayAtMs = performance.now();
    const degradedMs = await this.#until('both are degraded', () => this.#notSaying('degraded'));
    const localMs = await this.#until('a local subscriber hears', () => this.#deaf(a, [staying]));
    leaving.cut();
    const leftMs = await this.#until('a leave is seen by those of the same node', () =>
      this.#sees([staying], ['far', 'staying']),
    );
    const late = this.#connect('late', a, ['private-a', presence, other]);
    const answeredMs = await this.#until('new subscriptions are answered', () =>
      late.view.joined.length === 3 ? [] : ['they are not'],
    );
    await this.#until('a join is seen by those of the same node', () =>
      this.#sees([staying], ['far', 'late', 'staying']),
    );
    await pause(awayMs - (performance.now() - awayAtMs));

    await this.#cluster.onRedis((redis) => redis.restart());
    const backMs = await this.#until('both are ready', () => this.#notSaying('ready'));
    const seenMs = await this.#until('all see all again', () =>
      this.#sees([staying, far, late], ['far', 'late', 'staying']),
    );
    const heardMs = await this.#until('a message reaches the other node', () =>
      this.#deaf(a, [staying, far]),
    );
    const toldMs = await this.#until('the endpoint knows all again', () =>
      this.#untold({
        [plain]: [],
        [presence]: ['one-far', 'one-late', 'one-staying'],
        [other]: ['one-late'],
        'private-a': [],
      }),
    );
    return {
      figures: {
        degradedMs,
        localMs,
        leftMs,
        answeredMs,
        backMs,
        'seen again in ms': seenMs,
        heardMs,
        toldMs,
      },
      problems: [
        ...this.#problems,
        ...above('until both said degraded, ms', degradedMs, 1_000),
        ...above('until a new private or presence subscription was answered, ms', answeredMs, 1_000),
        ...above('from the return until both are ready and all see all, ms', backMs + seenMs, 5_000),
        ...this.#sockets.flatMap(({ view }) => view.problems),
        ...this.#cluster.problems,
      ],
    };
  }

  stop(): void {
    for (const socket of this.#sockets) socket.cut();
  }

  #connect(user: string, node: RigNode, channels: readonly string[]): SwarmSocket {
    const seat = { app: 'one', user: `one-${user}` } as const;
    const onGone = (): unknown => this.#problems.push(`${user} lost its connection`);
    const socket = new SwarmSocket(user, seat, node.target?.port ?? 0, channels, onGone);
    this.#sockets.push(socket);
    return socket;
  }

  /** Answers how long it took. */
  async #until(
    what: string,
    problems: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<number> {
    const startedMs = performance.now();
    const left = await untilNone(problems, settleMs, lookEveryMs);
    this.#problems.push(...left.map((problem) => `not so: ${what}: ${problem}`));
    return Math.round(performance.now() - startedMs);
  }

  #sees(sockets: readonly SwarmSocket[], users: readonly string[]): readonly string[] {
    const expected = users.map((user) => `one-${user}`).join();
    return sockets.flatMap(({ view }) => {
      const seen = view.membersOf(presence).join();
      return seen === expected ? [] : [`${view.name} sees ${seen}`];
    });
  }

  #untold(channels: Readonly<Record<string, readonly string[]>>): readonly string[] {
    const truth = Object.fromEntries(Object.entries(channels).map(([name, users]) => [name, { users }]));
    return disagreements(truth, endpointWitness(this.#cluster.receivers.one.journal));
  }

  /** A message from that node: who of these has not heard it? */
  async #deaf(node: RigNode, sockets: readonly SwarmSocket[]): Promise<readonly string[]> {
    const { publisher } = node;
    if (publisher === undefined) return ['it is not up'];
    const n = await publisher.publish('one', plain);
    const deaf = (): readonly string[] =>
      sockets.flatMap(({ view }) =>
        view.hasHeard(plain, publisher.name, n) ? [] : [`${view.name} heard nothing`],
      );
    return untilNone(deaf, 500, lookEveryMs);
  }

  async #notSaying(status: string): Promise<readonly string[]> {
    const said = this.#cluster.nodes.map(async ({ name, target }) => {
      const response = await fetch(`http://127.0.0.1:${target?.port ?? 0}/ready`);
      const body = (await response.json()) as { readonly status: string };
      return body.status === status ? [] : [`${name} says ${body.status}`];
    });
    return (await Promise.all(said)).flat();
  }
}
