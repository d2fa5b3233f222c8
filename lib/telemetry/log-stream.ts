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
    options.destination ?? openLogFile({ onCaughtUp: (lines) => tellDrops(logger, time, lines) });
  const pretty = options.pretty ?? (options.destination === undefined && process.stdout.isTTY);
  const time = new LineTime();
  const logger = loggerTo(pretty ? prettified(destination) : destination, time, options);
  return new PinoLogStream(logger, destination, time);
}

class PinoLogStream implements LogStream {
  readonly #logger: Logger;
  readonly #destination: LogDestination;
  readonly #time: LineTime;
  readonly #limiter: LineLimiter;
  #failed = 0;

  constructor(logger: Logger, destination: LogDestination, time: LineTime) {
    this.#logger = logger;
    this.#destination = destination;
    this.#time = time;
    this.#limiter = new LineLimiter((event, lines) => tellSuppressed(logger, time, event, lines));
  }

  get dropped(): number {
    return this.#destination.dropped + this.#failed;
  }

  next(event: TelemetryEvent): void {
    if (!this.#logger.isLevelEnabled(event.level)) return;
    if (entryOf(event.name).limited === true && !this.#limiter.admits(event.name, event.time)) return;
    try {
      this.#time.set(event.time);
      this.#logger[event.level](redactFields(event.fields), event.name);
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

/** Level, time and node stand before the fields of every line; pino has written the node once and for all. */
function loggerTo(
  stream: { write(line: string): void },
  time: LineTime,
  { level = 'info', nodeId }: LogStreamOptions,
): Logger {
  const options = {
    level,
    base: { nodeId },
    timestamp: () => time.text,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (value: unknown) => value },
  };
  return pino(options, stream);
}

/** When the event of the line that is written now happened. In a storm many lines are of the same millisecond. */
class LineTime {
  /** As pino puts it into the line. */
  text = '';
  #ms = Number.NaN;

  /** @param ms Milliseconds since 1970. */
  set(ms: number): void {
    if (ms === this.#ms) return;
    this.#ms = ms;
    this.text = `,"time":"${new Date(ms).toISOString()}"`;
  }
}

function prettified(destination: LogDestination): { write(line: string): void } {
  const toLine = prettyFactory({ ignore: 'nodeId', singleLine: true, translateTime: 'HH:MM:ss.l' });
  return { write: (line) => destination.write(toLine(line)) };
}

function tellSuppressed(logger: Logger, time: LineTime, event: string, lines: number): void {
  time.set(Date.now());
  logger.warn({ event, lines }, 'log.suppressed' satisfies EventName);
}

function tellDrops(logger: Logger, time: LineTime, lines: number): void {
  time.set(Date.now());
  logger.warn({ lines }, 'log.dropped' satisfies EventName);
}
