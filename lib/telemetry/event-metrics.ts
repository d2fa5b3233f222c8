import { Counter, Histogram, type Registry } from 'prom-client';
import { catalogue, type ErrorCode } from '../errors/catalogue.ts';
import type { EventEntry, EventMetric } from './event-entry.ts';
import { events } from './events.ts';
import type { Metrics } from './metrics.ts';
import type { TelemetryEvent } from './telemetry.ts';

type Fields = Readonly<Record<string, unknown>>;
type Recorder = (fields: Fields) => void;

/** Every event with the code of an error counts here, whatever else counts it. */
export const errorsMetric = {
  name: 'spillway_errors_total',
  help: 'Errors of the catalogue that left the server, by kind and code',
  labels: ['kind', 'code'],
};

/** From 1 ms to 10 s: a batch takes milliseconds, a stuck one seconds. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * A listener of `events$` that counts: every event of level info and above by name, and what the catalogue says in
 * `metrics`. Debug events are not counted, or the numbers would depend on the log level.
 */
export function toMetrics({ registry }: Metrics): (event: TelemetryEvent) => void {
  const failures = new Counter({
    name: 'spillway_telemetry_failures_total',
    help: 'Events that could not be counted',
    registers: [registry],
  });
  const recorders = recordersOf(registry);
  return ({ name, fields }) => {
    try {
      for (const record of recorders.get(name) ?? []) record(fields);
    } catch {
      failures.inc();
    }
  };
}

function recordersOf(registry: Registry): Map<string, Recorder[]> {
  const total = new Counter({
    name: 'spillway_events_total',
    help: 'Events of level info and above, by name',
    labelNames: ['event'],
    registers: [registry],
  });
  const errors = new Counter({
    name: errorsMetric.name,
    help: errorsMetric.help,
    labelNames: errorsMetric.labels,
    registers: [registry],
  });
  const byCode: Recorder = ({ code }) => {
    const known = code as ErrorCode;
    errors.inc({ kind: catalogue[known].kind, code: known });
  };
  const rows: [string, EventEntry][] = Object.entries(events);
  const counted = rows.filter(([, entry]) => entry.level !== 'debug');
  return new Map(
    counted.map(([name, entry]) => {
      total.inc({ event: name }, 0);
      const byName = total.labels(name);
      const own = (entry.metrics ?? []).map((metric) => recorderOf(metric, entry, registry));
      return [name, [() => byName.inc(), ...own, ...(entry.fields['code'] === 'code' ? [byCode] : [])]];
    }),
  );
}

function recorderOf(metric: EventMetric, entry: EventEntry, registry: Registry): Recorder {
  const { name, help, labels = [] } = metric;
  const options = { name, help, labelNames: labels, registers: [registry] };
  if (metric.kind === 'histogram') {
    const { of, buckets } = metric;
    const histogram = new Histogram({ ...options, buckets: [...(buckets ?? secondsBuckets)] });
    const scale = buckets === undefined ? 1000 : 1;
    return (fields) => histogram.observe(labelsOf(labels, fields), numberOf(fields, of) / scale);
  }
  // Two events may count the same thing.
  const known = registry.getSingleMetric(name);
  const counter = known instanceof Counter ? known : new Counter(options);
  for (const label of labels.length === 1 ? labels : []) startAtZero(counter, label, entry);
  const { by } = metric;
  if (labels.length === 0) return (fields) => counter.inc(by === undefined ? 1 : numberOf(fields, by));
  return (fields) => counter.inc(labelsOf(labels, fields), by === undefined ? 1 : numberOf(fields, by));
}

/** A rate needs a first value: a series that appears with 1 looks like no change. */
function startAtZero(counter: Counter, label: string, entry: EventEntry): void {
  const words = entry.fields[label];
  if (words === undefined || typeof words === 'string') return;
  for (const word of words) counter.inc({ [label]: word }, 0);
}

function labelsOf(labels: readonly string[], fields: Fields): Record<string, string | number> {
  return Object.fromEntries(labels.map((label) => [label, String(fields[label])]));
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new TypeError(`Field ${name} is not a number`);
  return value;
}
