import { EventEmitter } from 'node:events';
import type { StartServer } from '../../../lib/cli/start.ts';
import type { StopSignal, Terminal } from '../../../lib/cli/terminal.ts';

/** A terminal that remembers what was written and lets a spec send signals. */
export class FakeTerminal implements Terminal {
  readonly version = '1.2.3';
  readonly env: NodeJS.ProcessEnv;
  readonly signals = new EventEmitter();
  written = '';
  errors = '';

  constructor(env: NodeJS.ProcessEnv = {}) {
    this.env = env;
  }

  out(text: string): void {
    this.written += text;
  }

  err(text: string): void {
    this.errors += text;
  }

  signal(signal: StopSignal): void {
    this.signals.emit(signal, signal);
  }

  get listenerCount(): number {
    return this.signals.listenerCount('SIGTERM') + this.signals.listenerCount('SIGINT');
  }
}

/** A server that starts and stops when told, and remembers why it stopped. */
export class FakeServer {
  readonly port = 7001;
  readonly adminPort = undefined;
  readonly started: Parameters<StartServer>[] = [];
  readonly reasons: string[] = [];
  #stopGate: Promise<void> = Promise.resolve();

  /** To be given to `main` in place of the real one. */
  readonly start: StartServer = (...args) => {
    this.started.push(args);
    return Promise.resolve(this);
  };

  async stop(reason: string): Promise<void> {
    this.reasons.push(reason);
    await this.#stopGate;
  }

  /** From here a stop takes for ever. */
  hangOnStop(): void {
    this.#stopGate = new Promise(() => undefined);
  }
}

/** Lets everything that is ready to run do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
