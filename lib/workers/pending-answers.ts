import { WorkTimeout } from '../flow/isolate.ts';

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions one worker was asked and has not answered; each has its time, so none is kept for ever. */
export class PendingAnswers {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: Error | undefined;

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Sends a question under a number of its own. Rejects with a `WorkTimeout` after `timeoutMs`, and with the reason of
   * `end` when the worker ends before it has answered.
   */
  ask(send: (id: number) => void, timeoutMs: number): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.refused(id, new WorkTimeout(timeoutMs)), timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      send(id);
    });
  }

  answered(id: number, answer: unknown): void {
    this.#take(id)?.resolve(answer);
  }

  refused(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  /** Nothing is answered any more. */
  end(error: Error): void {
    this.#ended = error;
    for (const id of [...this.#pending.keys()]) this.refused(id, error);
  }

  /** None: it was late, and whoever asked has heard so. */
  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}
