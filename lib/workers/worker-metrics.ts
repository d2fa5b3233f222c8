import { MergedMetrics } from '../telemetry/merged-metrics.ts';
import type { Metrics, MetricsSnapshot } from '../telemetry/metrics.ts';
import type { ForkedWorker } from './forked-worker.ts';

/** The part of a worker that is asked. */
export type MeasuredWorker = Pick<ForkedWorker, 'place' | 'ask' | 'isServing'> & { metrics: MetricsSnapshot };

const answerMs = 2_000;

/** `/metrics` of a primary: its own, those of every worker, and what workers counted that have ended. */
export class WorkerMetrics {
  readonly #own: Metrics;
  readonly #workers: () => readonly MeasuredWorker[];
  readonly #merged = new MergedMetrics();

  constructor(own: Metrics, workers: () => readonly MeasuredWorker[]) {
    this.#own = own;
    this.#workers = workers;
    own.registerGauge('spillway_workers', 'Workers that take connections', () => this.#serving().length);
    own.registerGauge('spillway_worker_connections', 'Established connections of each worker', () =>
      this.#serving().map(({ place, metrics }) => ({
        labels: { worker: place },
        value: metrics.find(({ name }) => name === 'spillway_connections')?.values[0]?.value ?? 0,
      })),
    );
  }

  /** A worker that does not answer in time counts as when it was last asked. */
  async text(): Promise<string> {
    const workers = this.#workers();
    await Promise.allSettled(
      workers.map(async (worker) => {
        worker.metrics = await worker.ask({ kind: 'metrics' }, answerMs);
      }),
    );
    return this.#merged.text([await this.#own.snapshot(), ...workers.map(({ metrics }) => metrics)]);
  }

  /** A worker has ended. */
  retire({ metrics }: Pick<MeasuredWorker, 'metrics'>): void {
    this.#merged.retire(metrics);
  }

  #serving(): readonly MeasuredWorker[] {
    return this.#workers().filter(({ isServing }) => isServing);
  }
}
