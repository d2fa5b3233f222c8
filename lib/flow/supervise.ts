import { type MonoTypeOperatorFunction, retry, timer } from 'rxjs';

export interface SupervisionLimits {
  readonly initialDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly onRestart: (error: unknown, attempt: number) => void;
}

/**
 * Restarts a stream that died, after a pause that doubles from 100 ms to 30 s and starts over once an item came
 * through. For errors that escaped `isolate`: each restart is reported.
 */
export function supervise<T>(limits: SupervisionLimits): MonoTypeOperatorFunction<T> {
  const initialDelayMs = limits.initialDelayMs ?? 100;
  const maxDelayMs = limits.maxDelayMs ?? 30_000;
  return retry({
    resetOnSuccess: true,
    delay: (error: unknown, attempt) => {
      limits.onRestart(error, attempt);
      return timer(Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1)));
    },
  });
}
