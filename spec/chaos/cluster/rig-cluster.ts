import type { Attempt } from '../../support/journal.ts';
import { type Judgement, ok, type Receiver, startReceiver } from '../../support/receiver.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type AppName, appNames, apps } from './apps.ts';
import { type FaultLink, startLink } from './fault-link.ts';
import { RigNode, type StartProcess } from './rig-node.ts';
import type { Times } from './times.ts';

export interface ClusterOptions {
  readonly nodes: number;
  /** Undefined: no Redis, and one node. */
  readonly appendfsync: 'always' | 'everysec' | undefined;
  readonly times: Times;
  /** Of every node, instead of those that suit a trial. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How the processes of nodes are started; default: as the product starts. */
  readonly startProcess?: StartProcess | undefined;
}

const posterHeader = 'x-rig-node';

/** Nodes as processes, each with a link of its own to one redis-server, and an endpoint for each app. */
export class RigCluster {
  readonly nodes: readonly RigNode[];
  readonly redis: RedisServer | undefined;
  readonly receivers: Readonly<Record<AppName, Receiver>>;
  readonly #links: readonly FaultLink[];
  readonly #judgements: Record<AppName, Judgement> = { one: ok, two: ok };
  #atNextTake: ((poster: RigNode) => void) | undefined;
  #redisActs: Promise<unknown> = Promise.resolve();

  private constructor(
    nodes: readonly RigNode[],
    redis: RedisServer | undefined,
    receivers: Readonly<Record<AppName, Receiver>>,
  ) {
    this.nodes = nodes;
    this.redis = redis;
    this.receivers = receivers;
    this.#links = nodes.flatMap(({ link }) => link ?? []);
  }

  static async start(options: ClusterOptions): Promise<RigCluster> {
    const { nodes, appendfsync, times, settings, startProcess } = options;
    const redis =
      appendfsync === undefined
        ? undefined
        : await startRedis({ appendonly: true, args: ['--appendfsync', appendfsync] });
    const receivers = { one: await startReceiver(apps.one), two: await startReceiver(apps.two) };
    const made = Array.from({ length: nodes }, async (_, index) => {
      const name = String.fromCharCode('a'.charCodeAt(0) + index);
      const link = redis === undefined ? undefined : await startLink(redis.port);
      const config = { ...configOf(name, receivers, link, times), ...settings };
      return new RigNode(name, config, link, startProcess);
    });
    const cluster = new RigCluster(await Promise.all(made), redis, receivers);
    for (const app of appNames) await cluster.judge(app, ok);
    await Promise.all(cluster.nodes.map((node) => node.start()));
    return cluster;
  }

  get problems(): readonly string[] {
    return this.nodes.flatMap(({ problems }) => problems);
  }

  /** How the endpoint of an app treats requests from now on. */
  judge(app: AppName, judgement: Judgement): Promise<void> {
    this.#judgements[app] = judgement;
    const refuses = typeof judgement === 'object' && judgement.kind === 'refuse';
    return this.receivers[app].behave(refuses ? judgement : (attempt) => this.#judge(app, attempt));
  }

  /** When the next request is taken, before its answer is out: who sent it? */
  atNextTake(strike: (poster: RigNode) => void): void {
    this.#atNextTake = strike;
  }

  /** Acts on Redis happen one after the other. */
  onRedis(act: (redis: RedisServer) => Promise<unknown>): Promise<unknown> {
    const { redis } = this;
    if (redis === undefined) throw new Error('there is no Redis here');
    const done = this.#redisActs.then(() => act(redis));
    this.#redisActs = done.catch(() => undefined);
    return done;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) node.kill();
    await Promise.all([
      ...appNames.map((app) => this.receivers[app].stop()),
      ...this.#links.map((link) => link.stop()),
    ]);
    await this.redis?.stop();
  }

  #judge(app: AppName, attempt: Attempt) {
    const judgement = this.#judgements[app];
    const behaviour = typeof judgement === 'function' ? judgement(attempt) : judgement;
    const poster = this.nodes.find(({ name }) => name === attempt.headers[posterHeader]);
    const strike = this.#atNextTake;
    if (behaviour.kind !== 'ok' || strike === undefined || poster === undefined) return behaviour;
    this.#atNextTake = undefined;
    strike(poster);
    return behaviour;
  }
}

function configOf(
  node: string,
  receivers: Readonly<Record<AppName, Receiver>>,
  link: FaultLink | undefined,
  { cluster, webhooks }: Times,
): Readonly<Record<string, unknown>> {
  return {
    apps: appNames.map((app) => ({
      ...apps[app],
      subscriptionCount: true,
      webhooks: [{ id: `all-${app}`, url: receivers[app].url, headers: { [posterHeader]: node } }],
    })),
    ...(link === undefined ? {} : { redis: { url: `redis://127.0.0.1:${link.port}` }, cluster }),
    webhooks,
    cleanup: { batchWindowMs: 5, announceWindowMs: 5 },
    drain: { waveMs: 20, perWave: 20, deadlineMs: 10_000 },
    log: { level: 'info' },
  };
}
