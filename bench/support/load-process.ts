import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { cpuMsOf } from './cpu.ts';
import { pinned } from './pin.ts';

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One of `bench/load/*.js` in a process of its own, on the second processor where there is one. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** @param isFree It runs on any processor, and at the priority of all: nothing is measured beside it. */
  constructor(
    name: 'crowd' | 'neighbour' | 'observers' | 'proxy' | 'receiver' | 'tally' | 'tenant',
    isFree = false,
  ) {
    const line: readonly [string, readonly string[]] = [process.execPath, [resolve(`bench/load/${name}.js`)]];
    const [command, args] = isFree ? line : pinned('load', ...line);
    const env = { ...process.env, ...(isFree ? { LOAD_IS_FREE: '1' } : {}) };
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env });
    this.#child.on('message', (answer: Answer) => this.#settle(answer));
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`${name} ended with ${String(code)}`));
    });
  }

  /** Runs a command there and answers its result. */
  ask<Result = void>(verb: string, options: object = {}): Promise<Result> {
    const id = ++this.#lastId;
    return new Promise<Result>((done, reject) => {
      this.#waiting.set(id, { resolve: (result) => done(result as Result), reject });
      this.#child.send({ id, verb, options });
    });
  }

  /** Processor time it has used so far. */
  cpuMs(): number {
    return cpuMsOf(this.#child.pid ?? 0);
  }

  /** Fulfilled when it is gone: only then the machine's account of it is complete. */
  async kill(): Promise<void> {
    this.#waiting.clear();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGKILL');
    await exited;
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}
