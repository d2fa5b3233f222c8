import { PrimaryLink } from '../workers/primary-link.ts';
import { toSent } from '../workers/sent-error.ts';
import { startWorker } from '../workers/worker.ts';
import type { SignalSource, StopSignal } from './terminal.ts';
import { untilSignal } from './until-signal.ts';

type Listener = (signal: StopSignal) => void;

/** Signals of this process, and the primary's word: that is a first signal, never a second one that ends it at once. */
class WorkerSignals implements SignalSource {
  readonly #listeners = new Set<Listener>();
  #hasBeen = false;

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (this.#hasBeen = true));
  }

  on(signal: StopSignal, listener: Listener): void {
    this.#listeners.add(listener);
    process.on(signal, listener);
  }

  off(signal: StopSignal, listener: Listener): void {
    this.#listeners.delete(listener);
    process.off(signal, listener);
  }

  stop(): void {
    if (this.#hasBeen) return;
    this.#hasBeen = true;
    for (const listener of this.#listeners) listener('SIGTERM');
  }
}

/** What a worker process runs: the primary starts it as it is, without a command line. */
async function run(): Promise<number> {
  // A terminal sends it to the whole group: it is the primary's.
  process.on('SIGHUP', () => undefined);
  const link = new PrimaryLink();
  const signals = new WorkerSignals();
  try {
    return await untilSignal(signals, () => {
      link.onStop(() => signals.stop());
      return startWorker(link);
    });
  } catch (error) {
    await link.send({ kind: 'failed', error: toSent(error) });
    return 1;
  }
}

void run().then((exitCode) => process.exit(exitCode));
