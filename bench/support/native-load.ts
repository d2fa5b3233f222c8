import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { clientPath, subscribeMessage } from './client-messages.ts';
import { nativeProgram } from './native.ts';
import { pinned } from './pin.ts';
import { app } from './servers.ts';

const folder = 'bench/load/native';
const files = [
  'load.c',
  'clients.c',
  'publish.c',
  'requests.c',
  'latency.c',
  'commands.c',
  'load.h',
  'hmac.h',
] as const;

/** What happened between two counts. */
export interface Counted {
  readonly tookMs: number;
  readonly loadCpuMs: number;
  readonly sent: number;
  readonly delivered: number;
  readonly answered: number;
  readonly failed: number;
  /** Frames that are no event, errors among them. */
  readonly strange: number;
  readonly closed: number;
  readonly reopened: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly worstUs: number;
  /** How much later than by the clock it sent. */
  readonly lateUs: number;
}

export interface OpenPlan {
  readonly port: number;
  readonly count: number;
  /** `#` is the number of the client among those of its role. */
  readonly channel: string;
  readonly role: 'sender' | 'receiver';
}

export type PublishPlan =
  | { readonly text: string; readonly window: number }
  | { readonly text: string; readonly perSecond: number };

export interface RequestPlan {
  readonly port: number;
  readonly connections: number;
  readonly file: string;
}

interface Waiting {
  readonly resolve: (answer: object) => void;
  readonly reject: (error: Error) => void;
}

/** `bench/load/native` in a process of its own on the load's processor. */
export class NativeLoad {
  readonly #child: ChildProcess;
  readonly #waiting: Waiting[] = [];

  /** @throws Error where it cannot be compiled. */
  constructor() {
    const program = nativeProgram(
      'load',
      files.map((file) => `${folder}/${file}`),
    );
    const [command, args] = pinned('load', program, []);
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const kill = (): unknown => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#child.once('exit', (code) => {
      process.off('exit', kill);
      for (const { reject } of this.#waiting) reject(new Error(`the load ended with ${String(code)}`));
    });
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#answered(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Answers when all clients are subscribed. @throws Error when some were refused, or were not after 30 s. */
  async open({ port, count, channel, role }: OpenPlan): Promise<void> {
    const subscribe = subscribeMessage(channel);
    const fields = { port, count, channel, role, subscribe, path: clientPath(app.key), ...app };
    const { refused, missing } = await this.#ask<{ refused: number; missing: number }>('open', fields);
    if (refused > 0 || missing > 0)
      throw new Error(`${refused} clients were refused, ${missing} are not subscribed after 30 s`);
  }

  /** Begins, and goes on until `stop`. */
  async publish(plan: PublishPlan): Promise<void> {
    await this.#ask('publish', { ...plan });
  }

  /** Begins, and goes on until `stop`. */
  async request(plan: RequestPlan): Promise<void> {
    await this.#ask('request', { ...plan });
  }

  /** What happened since the last count. */
  count(): Promise<Counted> {
    return this.#ask<Counted>('count', {});
  }

  /** Answers how many events have not arrived a second later, and how many requests failed since the start. */
  stop(): Promise<{ readonly missing: number; readonly failed: number }> {
    return this.#ask('stop', {});
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGKILL');
    await exited;
  }

  #ask<Answer extends object>(verb: string, fields: Readonly<Record<string, string | number>>) {
    const pairs = Object.entries(fields).map(([name, value]) => `\t${name}=${value}`);
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve: (answer) => resolve(answer as Answer), reject });
      this.#child.stdin?.write(`${verb}${pairs.join('')}\n`);
    });
  }

  #answered(line: string): void {
    const answer = JSON.parse(line) as { readonly error?: string };
    const waiting = this.#waiting.shift();
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`the load: ${answer.error}`));
  }
}
