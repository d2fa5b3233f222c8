import { type ServerProcess, startServerProcess } from '../../support/process.ts';
import type { FaultLink } from './fault-link.ts';
import { Publisher } from './publisher.ts';

type State = 'up' | 'paused' | 'down';

/** Starts a process of a node, with a configuration in the shape of the file. */
export type StartProcess = (config: Readonly<Record<string, unknown>>) => Promise<ServerProcess>;

/** A node of the cluster as a process that dies and comes back. Its acts happen one after the other. */
export class RigNode {
  readonly name: string;
  /** Its way to Redis; undefined without one. */
  readonly link: FaultLink | undefined;
  /** When it was last killed. */
  killedAtMs: number | undefined;
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #startProcess: StartProcess;
  #process: ServerProcess | undefined;
  #publisher: Publisher | undefined;
  readonly #problems: string[] = [];
  readonly #failedStarts: string[] = [];
  #state: State = 'down';
  #lives = 0;
  /** The end of the current process is wanted. */
  #mayEnd = false;
  #acts: Promise<unknown> = Promise.resolve();
  readonly #lines: (readonly Readonly<Record<string, unknown>>[])[] = [];

  constructor(
    name: string,
    config: Readonly<Record<string, unknown>>,
    link: FaultLink | undefined,
    startProcess: StartProcess = startServerProcess,
  ) {
    this.name = name;
    this.#config = config;
    this.link = link;
    this.#startProcess = startProcess;
  }

  /** It takes connections, even if nobody answers on them while it is paused. */
  get target(): { readonly name: string; readonly port: number } | undefined {
    return this.#process === undefined ? undefined : { name: this.#title, port: this.#process.port };
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** What is wrong with how its processes ended, and with what they answered before. */
  get problems(): readonly string[] {
    return [...this.#problems, ...(this.#publisher?.refusals ?? [])];
  }

  get adminPort(): number {
    return this.#process?.adminPort ?? 0;
  }

  /** What its processes logged, of each life. */
  get lines(): readonly (readonly Readonly<Record<string, unknown>>[])[] {
    return this.#lines;
  }

  get publisher(): Publisher | undefined {
    return this.#publisher;
  }

  /** Log lines of all its lives, at level `error` and above. */
  get complaints(): readonly string[] {
    return this.#lines
      .flat()
      .filter(({ level }) => level === 'error' || level === 'fatal')
      .map((line) => `${this.name}: ${JSON.stringify(line)}`);
  }

  /** Whether it had no answer from Redis within the last so many milliseconds. */
  hasLostRedis(withinMs: number): boolean {
    const sinceMs = Date.now() - withinMs;
    return this.#lines
      .flat()
      .some(({ msg, time }) => msg === 'redis.lost' && Date.parse(String(time)) > sinceMs);
  }

  /** Starts that failed: without Redis a node does not start. */
  get failedStarts(): readonly string[] {
    return this.#failedStarts;
  }

  /** Does nothing when it runs. */
  start(): Promise<void> {
    return this.#act(async () => {
      if (this.#process !== undefined) return;
      const started = await this.#tryToStart();
      if (started === undefined) return;
      this.#process = started;
      this.#lines.push(started.lines);
      this.#lives += 1;
      this.#mayEnd = false;
      this.#state = 'up';
      this.#publisher = new Publisher(this.#title, started.port);
      started.child.once('exit', (code, signal) => {
        if (this.#mayEnd || this.#process !== started) return;
        this.#problems.push(`${this.#title} ended by itself: ${code ?? signal}`);
        this.#ended();
      });
    });
  }

  /** At once, also while it is paused. */
  kill(): void {
    const { child } = this.#process ?? {};
    if (child !== undefined) this.killedAtMs = Date.now();
    this.#mayEnd = true;
    this.#ended();
    child?.kill('SIGKILL');
  }

  pause(): void {
    if (this.#state !== 'up') return;
    this.#process?.child.kill('SIGSTOP');
    this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#process?.child.kill('SIGCONT');
    this.#state = 'up';
  }

  /** A graceful stop. */
  stop(): Promise<void> {
    return this.#act(async () => {
      const stopping = this.#process;
      if (stopping === undefined) return;
      this.#retirePublisher();
      this.#mayEnd = true;
      const title = this.#title;
      const code = await stopping.stop();
      // It may have been killed meanwhile.
      if (this.#process !== stopping) return;
      if (code !== 0) this.#problems.push(`${title} answered SIGTERM with exit code ${code}`);
      this.#ended();
    });
  }

  async #tryToStart(): Promise<ServerProcess | undefined> {
    try {
      return await this.#startProcess(this.#config);
    } catch (error) {
      this.#failedStarts.push(`${this.name}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  get #title(): string {
    return `${this.name}.${this.#lives}`;
  }

  #ended(): void {
    this.#process = undefined;
    this.#retirePublisher();
    this.#state = 'down';
  }

  #retirePublisher(): void {
    this.#problems.push(...(this.#publisher?.refusals ?? []));
    this.#publisher?.stop();
    this.#publisher = undefined;
  }

  #act(act: () => Promise<void>): Promise<void> {
    const done = this.#acts.then(act);
    this.#acts = done.catch(() => undefined);
    return done;
  }
}
