import { Subject, type Observable } from 'rxjs';
import { catalogue, type ErrorCode } from '../errors/catalogue.ts';
import { errorKinds } from '../errors/kinds.ts';
import type { EventLevel } from './event-entry.ts';
import { entryOf, type EventFields, type EventName } from './events.ts';
import { type LogLevel, passes } from './levels.ts';

/** One thing that happened. `time` is in milliseconds since 1970. */
export type TelemetryEvent = {
  readonly [N in EventName]: {
    readonly name: N;
    readonly level: EventLevel;
    readonly time: number;
    readonly fields: EventFields<N>;
  };
}[EventName];

export interface TelemetryOptions {
  readonly level?: LogLevel;
  readonly now?: () => number;
}

/**
 * Where code says what happened. The log stream and the metrics are two listeners of `events$`.
 *
 * Events of level info and above always reach the listeners, because metrics count them whatever the log level is;
 * debug events only while the level is debug. Without listeners, `emit` does nothing.
 */
export class Telemetry {
  readonly events$: Observable<TelemetryEvent>;
  readonly #events$ = new Subject<TelemetryEvent>();
  readonly #now: () => number;
  #debug = false;

  constructor(options: TelemetryOptions = {}) {
    this.events$ = this.#events$.asObservable();
    this.#now = options.now ?? Date.now;
    this.setLevel(options.level ?? 'info');
  }

  /** Says that something happened. A listener that throws is reported to RxJS's `onUnhandledError`, never to the caller. */
  emit<N extends EventName>(name: N, fields: EventFields<N>): void {
    if (!this.isEnabled(name)) return;
    const event = { name, level: levelOf(name, fields), time: this.#now(), fields };
    this.#events$.next(event as unknown as TelemetryEvent);
  }

  /** A cheap question for hot paths: ask it before building the fields of a debug event. */
  isEnabled(name: EventName): boolean {
    return this.#events$.observed && (this.#debug || entryOf(name).level !== 'debug');
  }

  /** Changes the level while running. */
  setLevel(level: LogLevel): void {
    this.#debug = passes('debug', level);
  }

  /** Ends `events$`: the last act of a stop. */
  close(): void {
    this.#events$.complete();
  }
}

function levelOf(name: EventName, fields: Readonly<Record<string, unknown>>): EventLevel {
  const { level } = entryOf(name);
  return level === 'of-error' ? errorKinds[catalogue[fields['code'] as ErrorCode].kind].level : level;
}
