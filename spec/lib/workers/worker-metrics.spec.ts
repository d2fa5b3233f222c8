import { describe, expect, test } from '@jest/globals';
import { Metrics, type MetricsSnapshot } from '../../../lib/telemetry/metrics.ts';
import { type MeasuredWorker, WorkerMetrics } from '../../../lib/workers/worker-metrics.ts';

class FakeWorker implements MeasuredWorker {
  readonly place: number;
  isServing = true;
  metrics: MetricsSnapshot = [];
  /** Undefined: it does not answer. */
  connections: number | undefined;

  constructor(place: number, connections: number) {
    this.place = place;
    this.connections = connections;
  }

  readonly ask: MeasuredWorker['ask'] = () => {
    if (this.connections === undefined) return Promise.reject(new Error('no answer'));
    const metrics = new Metrics({ process: false });
    const { connections } = this;
    metrics.registerGauge('spillway_connections', 'Established connections', () => connections);
    metrics.registerCounter('spillway_opened_total', 'Connections established', () => connections * 10);
    return metrics.snapshot();
  };
}

const line = (text: string, series: string): string | undefined =>
  text.split('\n').find((one) => one.startsWith(`${series} `));

describe('the metrics of a primary', () => {
  test('are those of its workers, and how they share the connections', async () => {
    const workers = [new FakeWorker(1, 3), new FakeWorker(2, 5)];
    const text = await new WorkerMetrics(new Metrics({ process: false }), () => workers).text();
    expect(line(text, 'spillway_connections')).toBe('spillway_connections 8');
    expect(line(text, 'spillway_workers')).toBe('spillway_workers 2');
    expect(line(text, 'spillway_worker_connections{worker="1"}')).toMatch(/ 3$/);
    expect(line(text, 'spillway_worker_connections{worker="2"}')).toMatch(/ 5$/);
  });

  test('let a silent worker count as when it last answered, and an ended one as what it counted', async () => {
    const workers = [new FakeWorker(1, 3), new FakeWorker(2, 5)];
    const metrics = new WorkerMetrics(new Metrics({ process: false }), () => workers);
    await metrics.text();
    workers[1]!.connections = undefined;
    expect(line(await metrics.text(), 'spillway_opened_total')).toBe('spillway_opened_total 80');
    metrics.retire(workers.pop()!);
    const text = await metrics.text();
    expect(line(text, 'spillway_opened_total')).toBe('spillway_opened_total 80');
    expect(line(text, 'spillway_connections')).toBe('spillway_connections 3');
  });
});
