import { map, mergeMap, Subject, timer } from 'rxjs';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { RestartBackoff, type RestartLimits } from './restart-backoff.ts';

/** Beyond `drain.deadlineMs`, what a worker that was told to stop may take before it is killed. */
const extraStopMs = 5_000;
/** What the successor of a worker may take until it listens, before it is killed and the worker stays. */
const successorTimeoutMs = 60_000;

export interface Listening {
  readonly port: number;
  readonly nodeId: string;
}

export interface WorkerEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** One process of the pool. */
export interface PoolWorker {
  /** Its number, from 1; its successor has the same. */
  readonly place: number;
  readonly pid: number;
  /** Fulfilled when it takes connections; rejects with the reason when it ends before. */
  readonly listening: Promise<Listening>;
  /** Fulfilled when it takes no more connections, though it may not have ended. */
  readonly gone: Promise<void>;
  /** Fulfilled when the process has ended and everything it said was read. */
  readonly ended: Promise<WorkerEnd>;
  /** It takes connections. */
  readonly isServing: boolean;
  stop(reason: string): void;
  kill(): void;
}

export interface WorkerPoolOptions<W extends PoolWorker> {
  readonly size: number;
  readonly fork: (place: number) => W;
  readonly telemetry: Telemetry;
  /** `drain.deadlineMs`. */
  readonly deadlineMs: number;
  readonly onEnded: (worker: W) => void;
  /** Default: 100 ms to 30 s, starting over after a minute. */
  readonly restarts?: RestartLimits;
}

/** A worker at each place: one that is lost is replaced after a pause, and all of them on request, one after the other. */
export class WorkerPool<W extends PoolWorker> {
  readonly #options: WorkerPoolOptions<W>;
  readonly #places = new Map<number, W>();
  /** Processes that have not ended: those of the places, those that go, and a successor that does not listen yet. */
  readonly #alive = new Set<W>();
  readonly #told = new WeakSet<W>();
  readonly #backoff: RestartBackoff;
  readonly #lost$ = new Subject<{ readonly worker: W; readonly pauseMs: number }>();
  #state: 'starting' | 'running' | 'stopping' = 'starting';
  #rolling: 'no' | 'yes' | 'and-again' = 'no';

  constructor(options: WorkerPoolOptions<W>) {
    this.#options = options;
    this.#backoff = new RestartBackoff(options.restarts);
    const due$ = this.#lost$.pipe(mergeMap(({ worker, pauseMs }) => timer(pauseMs).pipe(map(() => worker))));
    void due$.forEach((worker) => this.#replace(worker));
  }

  /** Those that take connections. */
  get serving(): readonly W[] {
    return [...this.#places.values()].filter((worker) => worker.isServing);
  }

  /** Every process that has not ended. */
  get alive(): readonly W[] {
    return [...this.#alive];
  }

  /** Fulfilled when every worker listens. When one cannot, all are stopped and its reason is thrown. */
  async start(): Promise<Listening> {
    try {
      const workers = Array.from({ length: this.#options.size }, (_, index) => this.#launch(index + 1));
      const [first] = await Promise.all(workers.map((worker) => worker.listening));
      if (first === undefined) throw new Error('a pool has at least one worker');
      this.#state = 'running';
      // One may have gone between its start and that of the last.
      for (const worker of workers) if (!worker.isServing) this.#lose(worker, 0);
      return first;
    } catch (error) {
      await this.stop('start failed');
      throw error;
    }
  }

  /**
   * Replaces every worker: the next one goes when its successor listens. When a successor cannot start, the rest stay.
   * Asked for meanwhile, it is done once more.
   */
  async roll(): Promise<void> {
    if (this.#state !== 'running') return;
    if (this.#rolling !== 'no') {
      this.#rolling = 'and-again';
      return;
    }
    do {
      this.#rolling = 'yes';
      await this.#rollOnce();
    } while (this.#isAskedAgain());
    this.#rolling = 'no';
  }

  /** Fulfilled when no process is left; those that do not end in time are killed. */
  async stop(reason: string): Promise<void> {
    this.#state = 'stopping';
    await Promise.all(Array.from(this.#alive, (worker) => this.#stopInTime(worker, reason)));
  }

  #isAskedAgain(): boolean {
    return this.#rolling === 'and-again' && this.#state === 'running';
  }

  async #rollOnce(): Promise<void> {
    const { telemetry } = this.#options;
    const startedMs = performance.now();
    const places = [...this.#places.keys()];
    telemetry.emit('workers.restarting', { workers: places.length });
    for (const place of places) {
      if (this.#isStopping()) return;
      const successor = await this.#successorAt(place);
      if (successor === undefined || this.#isStopping()) return;
      const former = this.#places.get(place);
      this.#places.set(place, successor);
      if (!successor.isServing) this.#lose(successor, 0);
      if (former !== undefined) await this.#stopInTime(former, 'SIGHUP');
    }
    telemetry.emit('workers.restarted', {
      workers: places.length,
      durationMs: Math.round(performance.now() - startedMs),
    });
  }

  #isStopping(): boolean {
    return this.#state === 'stopping';
  }

  /** Fulfilled when it listens; undefined when it cannot, or does not in time. */
  async #successorAt(place: number): Promise<W | undefined> {
    try {
      const successor = this.#begin(place);
      const late = setTimeout(() => successor.kill(), successorTimeoutMs);
      await successor.listening.finally(() => clearTimeout(late));
      return successor;
    } catch (error) {
      const failure = { worker: place, reason: reasonOf(error) };
      if (!this.#isStopping()) this.#options.telemetry.emit('workers.restart-failed', failure);
      return undefined;
    }
  }

  #launch(place: number): W {
    const worker = this.#begin(place);
    this.#places.set(place, worker);
    return worker;
  }

  #begin(place: number): W {
    const { fork, telemetry, onEnded } = this.#options;
    const worker = fork(place);
    const startedMs = performance.now();
    const fields = { worker: place, workerPid: worker.pid };
    this.#alive.add(worker);
    telemetry.emit('worker.started', fields);
    void worker.listening.then(
      ({ nodeId }) => telemetry.emit('worker.listening', { ...fields, workerNodeId: nodeId }),
      (error: unknown) => {
        if (this.#told.has(worker)) return;
        telemetry.emit('worker.start-failed', { ...fields, reason: reasonOf(error) });
      },
    );
    void worker.gone.then(() => this.#lose(worker, performance.now() - startedMs));
    void worker.ended.then(({ exitCode, signal }) => {
      this.#alive.delete(worker);
      onEnded(worker);
      const end = { exitCode: exitCode ?? undefined, signal: signal ?? undefined };
      telemetry.emit('worker.ended', { ...fields, ...end });
    });
    return worker;
  }

  /** Nothing, for one that was told to stop or never had a place. */
  #lose(worker: W, livedMs: number): void {
    const { place, pid } = worker;
    const isWanted = this.#places.get(place) === worker && !this.#told.has(worker);
    if (this.#state !== 'running' || !isWanted) return;
    const pauseMs = this.#backoff.pauseMs(place, livedMs);
    this.#options.telemetry.emit('worker.lost', { worker: place, workerPid: pid, pauseMs });
    this.#told.add(worker);
    this.#lost$.next({ worker, pauseMs });
  }

  /** A rolling restart may have done so meanwhile. */
  #replace(worker: W): void {
    const { place } = worker;
    if (this.#state !== 'running' || this.#places.get(place) !== worker) return;
    try {
      this.#launch(place);
    } catch (error) {
      // The system had no process to give.
      const failure = { worker: place, workerPid: 0, reason: reasonOf(error) };
      this.#options.telemetry.emit('worker.start-failed', failure);
      this.#lost$.next({ worker, pauseMs: this.#backoff.pauseMs(place, 0) });
    }
  }

  async #stopInTime(worker: W, reason: string): Promise<void> {
    this.#told.add(worker);
    worker.stop(reason);
    const kill = setTimeout(() => {
      this.#options.telemetry.emit('worker.killed', { worker: worker.place, workerPid: worker.pid });
      worker.kill();
    }, this.#options.deadlineMs + extraStopMs);
    await worker.ended;
    clearTimeout(kill);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
