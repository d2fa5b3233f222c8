import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { entryOf, type EventName } from './events.ts';
import type { LogLevel } from './levels.ts';
import { LineLimiter } from './line-limiter.ts';
import { type LogDestination, openLogFile } from './log-destination.ts';
import { redactFields } from './redact.ts';
import type { TelemetryEvent } from './telemetry.ts';

export interface LogStreamOptions {
  readonly nodeId: string;
  readonly level?: LogLevel;
  /** Absent: stdout. */
  readonly destination?: LogDestination;
  /** Lines for people instead of JSON; absent: when stdout is a terminal. */
  readonly pretty?: boolean;
}

/** A listener of `events$`: `telemetry.events$.subscribe(log)`. */
export interface LogStream {
  next(event: TelemetryEvent): void;
  setLevel(level: LogLevel): void;
  /** Writes what is waiting; nothing is written afterwards. */
  close(): Promise<void>;
  /** Lines that were not written: nobody read, or they could not be formatted. */
  readonly dropped: number;
}

/**
 * The log stream: one line of JSON per event, `msg` is the event's name. It never throws and never waits: whoever does
 * not read it loses lines, which are counted and told in `log.dropped`.
 */
export function toLogStream(options: LogStreamOptions): LogStream {
  const destination =
    options.destination ?? openLogFile({ onCaughtUp: (lines) => tellDrops(logger, options.nodeId, lines) });
  const pretty = options.pretty ?? (options.destination === undefined && process.stdout.isTTY);
  const logger = loggerTo(pretty ? prettified(destination) : destination, options);
  return new PinoLogStream(logger, destination, options.nodeId);
}

class PinoLogStream implements LogStream {
  readonly #logger: Logger;
  readonly #destination: LogDestination;
  readonly #nodeId: string;
  readonly #limiter: LineLimiter;
  #failed = 0;

  constructor(logger: Logger, destination: LogDestination, nodeId: string) {
    this.#logger = logger;
    this.#destination = destination;
    this.#nodeId = nodeId;
    this.#limiter = new LineLimiter((event, lines) => tellSuppressed(logger, nodeId, event, lines));
  }

  get dropped(): number {
    return this.#destination.dropped + this.#failed;
  }

  next(event: TelemetryEvent): void {
    if (!this.#logger.isLevelEnabled(event.level)) return;
    if (entryOf(event.name).limited === true && !this.#limiter.admits(event.name, event.time)) return;
    try {
      this.#logger[event.level](recordOf(event, this.#nodeId), event.name);
    } catch {
      this.#failed += 1;
    }
  }

  setLevel(level: LogLevel): void {
    this.#logger.level = level;
  }

  close(): Promise<void> {
    this.#limiter.flush();
    return this.#destination.close();
  }
}

function loggerTo(stream: { write(line: string): void }, { level = 'info' }: LogStreamOptions): Logger {
  const options = {
    level,
    base: null,
    timestamp: false,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (value: unknown) => value },
  };
  return pino(options, stream);
}

function recordOf({ time, fields }: TelemetryEvent, nodeId: string): Record<string, unknown> {
  return redactFields(fields, 0, { time: isoTime(time), nodeId });
}

const lastTime = { ms: Number.NaN, text: '' };

/** In a storm many lines are of the same millisecond. */
function isoTime(ms: number): string {
  if (ms !== lastTime.ms) {
    lastTime.ms = ms;
    lastTime.text = new Date(ms).toISOString();
  }
  return lastTime.text;
}

function prettified(destination: LogDestination): { write(line: string): void } {
  const toLine = prettyFactory({ ignore: 'nodeId', singleLine: true, translateTime: 'HH:MM:ss.l' });
  return { write: (line) => destination.write(toLine(line)) };
}

function tellSuppressed(logger: Logger, nodeId: string, event: string, lines: number): void {
  logger.warn({ time: new Date().toISOString(), nodeId, event, lines }, 'log.suppressed' satisfies EventName);
}

function tellDrops(logger: Logger, nodeId: string, lines: number): void {
  logger.warn({ time: new Date().toISOString(), nodeId, lines }, 'log.dropped' satisfies EventName);
}
