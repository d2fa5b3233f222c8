import type { MaybePromise } from '../flow/maybe-promise.ts';
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';

/** One value of a metric that has labels. Labels have few values: never a channel, a user, or what a client sent. */
export interface Reading {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Reads a metric at the moment somebody asks for it. */
export type Read = () => MaybePromise<number | readonly Reading[]>;

/** The metrics of one process at one moment, as another process can read them. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

interface Pulled {
  readonly kind: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  readonly read: Read;
  /** The registered metric and the label names it was made for. */
  metric?: { readonly labelNames: string; readonly target: Gauge | Counter };
}

/**
 * The metrics of this process. What happens is counted from events (`toMetrics`); what is, such as a queue's depth, is
 * read when `/metrics` is asked for, so it costs nothing in between.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #pulled = new Map<string, Pulled>();
  readonly #readErrors: Counter;

  constructor(options: { process?: boolean } = {}) {
    if (options.process ?? true) collectDefaultMetrics({ register: this.registry, prefix: 'spillway_' });
    this.#readErrors = new Counter({
      name: 'spillway_metric_read_errors_total',
      help: 'Readings of a gauge or counter that failed',
      registers: [this.registry],
    });
  }

  /** A value that goes up and down, such as a depth. */
  registerGauge(name: string, help: string, read: Read): void {
    this.#register({ kind: 'gauge', name, help, read });
  }

  /** A value that only grows and is counted elsewhere, such as a stage's plain counters. */
  registerCounter(name: string, help: string, read: Read): void {
    this.#register({ kind: 'counter', name, help, read });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text of `/metrics`. A reading that fails is left out and counted. */
  async text(): Promise<string> {
    await this.#refreshAll();
    return this.registry.metrics();
  }

  /** The same for `MergedMetrics`. */
  async snapshot(): Promise<MetricsSnapshot> {
    await this.#refreshAll();
    return this.registry.getMetricsAsJSON();
  }

  async #refreshAll(): Promise<void> {
    await Promise.all(Array.from(this.#pulled.values(), (pulled) => this.#refresh(pulled)));
  }

  #register(pulled: Pulled): void {
    const taken = this.#pulled.has(pulled.name) || this.registry.getSingleMetric(pulled.name) !== undefined;
    if (taken) throw new Error(`Metric ${pulled.name} is registered twice: give one of them another name`);
    this.#pulled.set(pulled.name, pulled);
  }

  async #refresh(pulled: Pulled): Promise<void> {
    try {
      const read = await pulled.read();
      const readings = typeof read === 'number' ? [{ labels: {}, value: read }] : read;
      const target = this.#targetFor(pulled, readings);
      target.reset();
      for (const { labels, value } of readings) target.inc(labels, value);
    } catch {
      this.#readErrors.inc();
      pulled.metric?.target.reset();
    }
  }

  /** The registered metric, made anew when the readings carry other labels than before. */
  #targetFor(pulled: Pulled, readings: readonly Reading[]): Gauge | Counter {
    const labelNames = [...new Set(readings.flatMap(({ labels }) => Object.keys(labels)))];
    const known = labelNames.join();
    if (pulled.metric !== undefined && (readings.length === 0 || pulled.metric.labelNames === known)) {
      return pulled.metric.target;
    }
    this.registry.removeSingleMetric(pulled.name);
    const options = { name: pulled.name, help: pulled.help, labelNames, registers: [this.registry] };
    const target = pulled.kind === 'gauge' ? new Gauge(options) : new Counter(options);
    pulled.metric = { labelNames: known, target };
    return target;
  }
}
