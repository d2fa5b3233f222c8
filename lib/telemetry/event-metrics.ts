import { Counter, Histogram, type Registry } from 'prom-client';
import { catalogue, type ErrorCode } from '../errors/catalogue.ts';
import type { EventEntry, EventMetric } from './event-entry.ts';
import { events } from './events.ts';
import type { Metrics } from './metrics.ts';
import { labelsOf, Tally } from './tally.ts';
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
  const total = new Tally(registry, {
    name: 'spillway_events_total',
    help: 'Events of level info and above, by name',
    labels: ['event'],
  });
  const errors = new Tally(registry, errorsMetric);
  const byCode: Recorder = ({ code }) => {
    const known = code as ErrorCode;
    errors.add({ kind: catalogue[known].kind, code: known });
  };
  const tallies = new Map<string, Tally>();
  const rows: [string, EventEntry][] = Object.entries(events);
  const counted = rows.filter(([, entry]) => entry.level !== 'debug');
  return new Map(
    counted.map(([event, entry]) => {
      total.add({ event }, 0);
      const byName: Recorder = () => total.add({ event });
      const own = (entry.metrics ?? []).map((metric) => recorderOf(metric, entry, registry, tallies));
      return [event, [byName, ...own, ...(entry.fields['code'] === 'code' ? [byCode] : [])]];
    }),
  );
}

function recorderOf(
  metric: EventMetric,
  entry: EventEntry,
  registry: Registry,
  tallies: Map<string, Tally>,
): Recorder {
  const { name, help, labels = [] } = metric;
  if (metric.kind === 'histogram') {
    const { of, buckets = secondsBuckets } = metric;
    const options = { name, help, labelNames: labels, registers: [registry] };
    const histogram = new Histogram({ ...options, buckets: [...buckets] });
    const scale = metric.buckets === undefined ? 1000 : 1;
    return (fields) => histogram.observe(labelsOf(labels, fields), numberOf(fields, of) / scale);
  }
  // Two events may count the same thing.
  const tally = tallies.get(name) ?? new Tally(registry, { name, help, labels });
  tallies.set(name, tally);
  for (const label of labels.length === 1 ? labels : []) startAtZero(tally, label, entry);
  const { by } = metric;
  return (fields) => tally.add(fields, by === undefined ? 1 : numberOf(fields, by));
}

/** A rate needs a first value: a series that appears with 1 looks like no change. */
function startAtZero(tally: Tally, label: string, entry: EventEntry): void {
  const words = entry.fields[label];
  if (words === undefined || typeof words === 'string') return;
  for (const word of words) tally.add({ [label]: word }, 0);
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new TypeError(`Field ${name} is not a number`);
  return value;
}
