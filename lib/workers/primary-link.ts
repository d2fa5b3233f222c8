import cluster from 'node:cluster';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { FromWorker, Question, ToWorker } from './messages.ts';
import { toSent } from './sent-error.ts';

type Start = Extract<ToWorker, { kind: 'start' }>;

/** What a worker process has of its primary: the channel that node:cluster made. */
export class PrimaryLink {
  /** Fulfilled when the primary says how to be. */
  readonly told: Promise<Start>;
  #stopReason: string | undefined;
  #onStop: () => void = () => undefined;
  #answer: ((question: Question) => MaybePromise<unknown>) | undefined;

  constructor() {
    let tell: (start: Start) => void = () => undefined;
    this.told = new Promise((resolve) => {
      tell = resolve;
    });
    process.on('message', (message: ToWorker) => {
      if (message.kind === 'start') {
        this.#outliveThePrimary();
        tell(message);
      } else if (message.kind === 'stop') this.#stop(message.reason);
      else void this.#reply(message.id, message.question);
    });
  }

  /** Why the primary wants this worker to stop; undefined while it does not. */
  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  /** What to do when the primary wants this worker to stop, or has ended. */
  onStop(stop: () => void): void {
    this.#onStop = stop;
    if (this.#stopReason !== undefined) stop();
  }

  /** From now on questions are answered. */
  answerWith(answer: (question: Question) => MaybePromise<unknown>): void {
    this.#answer = answer;
  }

  /** Fulfilled when it was sent, or cannot be: the primary has ended. */
  send(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      if (process.send === undefined || !process.connected) resolve();
      else process.send(message, undefined, undefined, () => resolve());
    });
  }

  async #reply(id: number, question: Question): Promise<void> {
    try {
      if (this.#answer === undefined) throw new Error('the worker does not listen yet');
      await this.send({ kind: 'answer', id, answer: await this.#answer(question) });
    } catch (error) {
      await this.send({ kind: 'no-answer', id, error: toSent(error) });
    }
  }

  /** node:cluster ends a worker at once whose primary is gone, unless it is told that this was meant. */
  #outliveThePrimary(): void {
    const { worker } = cluster;
    worker?.once('disconnect', () => {
      worker.exitedAfterDisconnect = true;
      this.#stop('primary ended');
    });
  }

  #stop(reason: string): void {
    this.#stopReason ??= reason;
    this.#onStop();
  }
}
