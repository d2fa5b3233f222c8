import type { Worker } from 'node:cluster';
import type { Config } from '../../config/schema.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { FromWorker, Question, QuestionKind, Questions, ToWorker } from './messages.ts';
import { PendingAnswers } from './pending-answers.ts';
import { fromSent } from './sent-error.ts';
import { WholeLines } from './whole-lines.ts';
import type { Listening, PoolWorker, WorkerEnd } from './worker-pool.ts';

/** After the exit of a worker, how long its last words may take; a process it started may hold its output open. */
const lastWordsMs = 1_000;

export interface ForkedWorkerOptions {
  /** Its number, from 1. */
  readonly place: number;
  readonly config: Config;
  readonly isPretty: boolean;
  /** Takes each line it writes, with its newline. */
  readonly onLine: (line: string) => void;
}

/** A worker process, as its primary has it. */
export class ForkedWorker implements PoolWorker {
  readonly place: number;
  readonly pid: number;
  readonly listening: Promise<Listening>;
  readonly gone: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  /** What it said last of its metrics. */
  metrics: MetricsSnapshot = [];
  readonly #worker: Worker;
  readonly #options: ForkedWorkerOptions;
  readonly #pending = new PendingAnswers();
  #state: 'starting' | 'serving' | 'going' = 'starting';
  #hasLoaded = false;
  #failure: Error | undefined;

  constructor(worker: Worker, options: ForkedWorkerOptions) {
    this.#worker = worker;
    this.#options = options;
    this.place = options.place;
    this.pid = worker.process.pid ?? 0;
    // What cannot be sent or spawned shows in the end of the process.
    worker.on('error', (error) => (this.#failure ??= error));
    this.ended = this.#untilEnded();
    const exited = this.#untilExit().then(() => this.#go());
    this.gone = Promise.race([exited, this.#heard('leaving').then(() => this.#go())]);
    this.listening = Promise.race([
      this.#heard('listening').then(({ port, nodeId }) => this.#serve({ port, nodeId })),
      this.#heard('failed').then(({ error }) => Promise.reject(fromSent(error))),
      this.ended.then((end) => Promise.reject(this.#failure ?? new Error(`it ended with ${textOf(end)}`))),
    ]);
    worker.on('message', (message: FromWorker) => this.#take(message));
    this.#readLines();
  }

  get isServing(): boolean {
    return this.#state === 'serving';
  }

  /** Rejects when it does not answer within `timeoutMs`, cannot, or ends before. */
  ask<Kind extends QuestionKind>(
    question: Extract<Question, { kind: Kind }>,
    timeoutMs: number,
  ): Promise<Questions[Kind]['answer']> {
    const answer = this.#pending.ask((id) => this.#send({ kind: 'question', id, question }), timeoutMs);
    return answer as Promise<Questions[Kind]['answer']>;
  }

  /** One that has not loaded has nothing to give back, and does not listen to its primary yet. */
  stop(reason: string): void {
    this.#go();
    if (this.#hasLoaded) this.#send({ kind: 'stop', reason });
    else this.kill();
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #take(message: FromWorker): void {
    const { config, isPretty, place } = this.#options;
    if (message.kind === 'loaded') {
      this.#hasLoaded = true;
      this.#send({ kind: 'start', config, isPretty, worker: place });
    } else if (message.kind === 'last-metrics') this.metrics = message.metrics;
    else if (message.kind === 'answer') this.#pending.answered(message.id, message.answer);
    else if (message.kind === 'no-answer') this.#pending.refused(message.id, fromSent(message.error));
  }

  #serve(listening: Listening): Listening {
    if (this.#state === 'starting') this.#state = 'serving';
    return listening;
  }

  #go(): void {
    this.#state = 'going';
  }

  #send(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message);
  }

  /** The first message of that kind. */
  #heard<Kind extends FromWorker['kind']>(kind: Kind): Promise<Extract<FromWorker, { kind: Kind }>> {
    return new Promise((resolve) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === kind) resolve(message as Extract<FromWorker, { kind: Kind }>);
      });
    });
  }

  #untilExit(): Promise<WorkerEnd> {
    const { process } = this.#worker;
    return new Promise((resolve) => {
      process.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
      // It could not even be started.
      process.once('error', () => process.pid === undefined && resolve({ exitCode: null, signal: null }));
    });
  }

  /** It has exited, and what it wrote and said has been read. */
  async #untilEnded(): Promise<WorkerEnd> {
    const { process } = this.#worker;
    const read = Promise.all(
      (['close', 'disconnect'] as const).map(
        (event) => new Promise<void>((resolve) => process.once(event, () => resolve())),
      ),
    );
    const end = await this.#untilExit();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lastWordsMs);
    });
    await Promise.race([read, late]);
    clearTimeout(timer);
    this.#pending.end(new Error(`worker ${this.place} ended with ${textOf(end)}`));
    return end;
  }

  #readLines(): void {
    const lines = new WholeLines();
    this.#worker.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of lines.take(text)) this.#options.onLine(line);
    });
  }
}

function textOf({ exitCode, signal }: WorkerEnd): string {
  return signal ?? `exit code ${exitCode ?? 'unknown'}`;
}
