import type { EventLevel } from './event-entry.ts';

/** What `log.level` accepts: the quietest events still written; `silent` writes nothing. */
export type LogLevel = EventLevel | 'trace' | 'silent';

const severities = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: 100,
} as const satisfies Record<LogLevel, number>;

/** Whether an event of this level passes a threshold. */
export function passes(level: EventLevel, threshold: LogLevel): boolean {
  return severities[level] >= severities[threshold];
}
