import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:<port>`, with the password when there is one. */
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Fulfilled when the process that runs now has logged such a line. */
  untilLine(pattern: RegExp): Promise<void>;
  /** Sends a signal; fulfilled when the process has ended, at once for SIGSTOP and SIGCONT. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and folder, after ending it when it runs. */
  restart(): Promise<void>;
  /** What redis-cli would print, for simple commands: `cli('CONFIG', 'SET', 'maxmemory', '1mb')`. Rejects with the error of Redis. */
  cli(...args: readonly string[]): Promise<string>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** Default: false, what is written is gone after a restart. */
  readonly appendonly?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  readonly password?: string;
  /** Further command-line options, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
}

/** A redis-server of its own on loopback, ready when this is fulfilled. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'spillway-redis-'));
  const { password } = options;
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
    ...['--appendonly', options.appendonly === true ? 'yes' : 'no'],
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...(options.args ?? []),
  ];
  const start = (): Promise<Process> => Process.start(args, /Ready to accept connections/);
  let running = await start();
  return {
    port,
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    get pid() {
      return running.pid;
    },
    untilLine: (pattern) => running.untilLine(pattern),
    kill: (signal = 'SIGKILL') => running.kill(signal),
    restart: async () => {
      await running.kill('SIGKILL');
      running = await start();
    },
    cli: (...command) => ask(port, password === undefined ? [command] : [['AUTH', password], command]),
    stop: async () => {
      await running.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface SentinelGroup {
  /** For `redis.sentinels`. */
  readonly name: string;
  readonly nodes: readonly string[];
  /** The first master; its replica. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Makes the replica the master while both live, and waits until it is. */
  failover(): Promise<void>;
  /** Fulfilled when the sentinel has named another master. */
  untilSwitched(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, its replica, in step with it, and a sentinel that takes a server for dead after a second. */
export async function startSentinel(): Promise<SentinelGroup> {
  const name = 'main';
  const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  const replica = await startRedis({ args: ['--replicaof', `127.0.0.1 ${master.port}`] });
  await replica.untilLine(/sync: Finished with success/);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'spillway-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  const lines = [
    ...[
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    ],
    ...[`sentinel down-after-milliseconds ${name} 1000`, `sentinel failover-timeout ${name} 5000`],
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await Process.start([file, '--sentinel'], /\+monitor/);
  // It logs nothing when it has learned that the replica is fit for a failover.
  while (!(await ask(port, [['SENTINEL', 'REPLICAS', name]])).includes('master-link-status\nok'))
    await pause(20);
  const untilSwitched = (): Promise<void> => sentinel.untilLine(/\+switch-master/);
  return {
    name,
    nodes: [`127.0.0.1:${port}`],
    master,
    replica,
    failover: async () => {
      await ask(port, [['SENTINEL', 'FAILOVER', name]]);
      await untilSwitched();
    },
    untilSwitched,
    stop: async () => {
      await Promise.all([sentinel.kill('SIGKILL'), master.stop(), replica.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface RedisCluster {
  /** Of the first node. */
  readonly url: string;
  readonly masters: readonly RedisServer[];
  /** The master that has the slot of a key. */
  masterOf(key: string): Promise<RedisServer>;
  stop(): Promise<void>;
}

const slots = 16_384;

/** Three masters that share the slots evenly, ready for commands. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const starting = Array.from({ length: 3 }, async () => {
    const busPort = await freePort();
    const args = [
      '--cluster-enabled',
      'yes',
      '--cluster-node-timeout',
      '2000',
      '--cluster-port',
      String(busPort),
    ];
    return { server: await startRedis({ args }), busPort };
  });
  const nodes = await Promise.all(starting);
  const masters = nodes.map(({ server }) => server);
  const firstOf = (at: number): number => Math.ceil((at * slots) / masters.length);
  for (const [at, { server }] of nodes.entries()) {
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', String(firstOf(at)), String(firstOf(at + 1) - 1));
    await server.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
  }
  const [first] = nodes;
  if (first === undefined) throw new Error('no node');
  for (const { server, busPort } of nodes.slice(1)) {
    await first.server.cli('CLUSTER', 'MEET', '127.0.0.1', String(server.port), String(busPort));
  }
  await Promise.all(masters.map((server) => server.untilLine(/Cluster state changed: ok/)));
  return {
    url: first.server.url,
    masters,
    masterOf: async (key) => {
      const slot = Number(await first.server.cli('CLUSTER', 'KEYSLOT', key));
      const at = masters.findIndex((_, index) => slot < firstOf(index + 1));
      return masters[at] ?? first.server;
    },
    stop: async () => {
      await Promise.all(masters.map((server) => server.stop()));
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A redis-server that runs, and what it logs. */
class Process {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<{ pattern: RegExp; found: () => void; ended: (error: Error) => void }>();

  private constructor(args: readonly string[]) {
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    // A run that is broken off leaves no server behind.
    const kill = (): unknown => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => {
      process.off('exit', kill);
      const error = new Error(`redis-server ended: ${this.#lines.join('\n')}`);
      for (const { ended } of this.#waiting) ended(error);
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#add(line));
  }

  static async start(args: readonly string[], ready: RegExp): Promise<Process> {
    const started = new Process(args);
    await started.untilLine(ready);
    return started;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  untilLine(pattern: RegExp): Promise<void> {
    if (this.#lines.some((line) => pattern.test(line))) return Promise.resolve();
    return new Promise((found, ended) => this.#waiting.add({ pattern, found, ended }));
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = signal === 'SIGSTOP' || signal === 'SIGCONT' ? undefined : once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  #add(line: string): void {
    this.#lines.push(line);
    for (const waiting of this.#waiting) {
      if (!waiting.pattern.test(line)) continue;
      this.#waiting.delete(waiting);
      waiting.found();
    }
  }
}

/** Sends commands one after the other on a connection of its own and answers the last reply, as redis-cli prints it. */
async function ask(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const reader = new ReplyReader();
  try {
    await once(socket, 'connect');
    for (const command of commands) socket.write(encode(command));
    const replies: string[] = [];
    while (replies.length < commands.length) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      replies.push(...reader.read(chunk));
    }
    return replies.at(-1) ?? '';
  } finally {
    socket.destroy();
  }
}

function encode(command: readonly string[]): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join('')}`;
}

/** Reads RESP2 replies: lists become lines. */
class ReplyReader {
  #bytes = Buffer.alloc(0);
  #at = 0;

  /** The replies that are complete with this chunk. */
  read(chunk: Buffer): string[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const replies: string[] = [];
    for (;;) {
      this.#at = 0;
      const reply = this.#next();
      if (reply === undefined) return replies;
      this.#bytes = this.#bytes.subarray(this.#at);
      replies.push(reply);
    }
  }

  #next(): string | undefined {
    const line = this.#line();
    if (line === undefined) return undefined;
    const rest = line.slice(1);
    if (line.startsWith('-')) throw new Error(rest);
    if (line.startsWith('$')) return this.#text(Number(rest));
    if (line.startsWith('*')) return this.#list(Number(rest));
    return rest;
  }

  #line(): string | undefined {
    const end = this.#bytes.indexOf('\r\n', this.#at);
    if (end === -1) return undefined;
    const line = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #text(length: number): string | undefined {
    if (length === -1) return '';
    const end = this.#at + length;
    if (this.#bytes.length < end + 2) return undefined;
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return text;
  }

  #list(length: number): string | undefined {
    const items: string[] = [];
    for (let index = 0; index < length; index++) {
      const item = this.#next();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items.join('\n');
  }
}
