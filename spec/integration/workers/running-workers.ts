import { connect as connectTcp } from 'node:net';
import type { TestClient } from '../../support/client.ts';
import { type ServerProcess, startServerProcess } from '../../support/process.ts';
import type { RedisServer } from '../../support/redis.ts';

let servers = 0;

/** The built server with two workers beside a Redis, with keys of its own and short leases. */
export function startWithWorkers(
  redis: RedisServer,
  config: Readonly<Record<string, unknown>> = {},
): Promise<ServerProcess> {
  return startServerProcess({
    redis: { url: redis.url, keyPrefix: `workers-${process.pid}-${++servers}:` },
    cluster: { partitions: 4, leaseMs: 3_000, renewMs: 500 },
    drain: { waveMs: 5, deadlineMs: 8_000 },
    ...config,
    server: { workers: 2 },
    webhooks: { timeoutMs: 1_000, graceMs: 200, batchWindowMs: 10 },
  });
}

export interface WorkerIds {
  readonly pid: number;
  readonly nodeId: string;
}

/** The workers that listen or did, in the order in which they began to. */
export function workersOf({ lines }: ServerProcess): readonly WorkerIds[] {
  return lines
    .filter(({ msg }) => msg === 'worker.listening')
    .map((line) => ({ pid: Number(line['workerPid']), nodeId: String(line['workerNodeId']) }));
}

/** Fulfilled when the log says which worker has a client. */
export async function workerWith(server: ServerProcess, { socketId }: TestClient): Promise<WorkerIds> {
  const opened = await server.waitFor('connection.opened', (line) => line['socketId'] === socketId);
  const worker = workersOf(server).find(({ nodeId }) => nodeId === opened['nodeId']);
  if (worker === undefined) throw new Error(`no worker has the node id ${String(opened['nodeId'])}`);
  return worker;
}

/** Opens and ends connections one after the other until it is stopped. */
export class Knocker {
  readonly #port: number;
  readonly #running: Promise<void>;
  #isStopped = false;
  knocks = 0;
  readonly refusals: string[] = [];

  constructor(port: number) {
    this.#port = port;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const problem = await knock(this.#port);
      this.knocks++;
      if (problem !== undefined) this.refusals.push(problem);
    }
  }
}

/** Why a connection was not made. */
export function knock(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(error.message));
  });
}

/** Fulfilled when no process has this id any more. */
export async function untilEnded(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
