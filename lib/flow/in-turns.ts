import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import { Ring } from './ring.ts';

export interface TurnLimits {
  /** How long items may take in one turn of the event loop, in milliseconds; the rest comes in the next turns. */
  readonly sliceMs: number;
  /**
   * Items may take this share of the turn before, where that is longer: however long turns become, more is passed on than
   * comes. Default: 0.
   */
  readonly share?: number;
  /** Handed the queue when the stream starts, for gauges. It holds what came in one turn, and no more than that. */
  readonly onQueue?: (queue: { readonly size: number }) => void;
}

/**
 * Passes items on at once while they take little time, and spreads those of a storm over turns of the event loop: thousands
 * of sockets that close do so in one phase of one turn, and nobody is read meanwhile.
 */
export function inTurns<T>({ sliceMs, share = 0, onQueue }: TurnLimits): MonoTypeOperatorFunction<T> {
  return (source$) =>
    new Observable<T>((subscriber) => {
      const waiting = new Ring<T>();
      onQueue?.(waiting);
      let turn: NodeJS.Immediate | undefined;
      let beganAtMs = 0;
      let endsAtMs = 0;
      let isSourceDone = false;
      const begin = (lastTurnMs: number): void => {
        endsAtMs = beganAtMs + Math.max(sliceMs, lastTurnMs * share);
        turn = setImmediate(next);
      };
      const hasTime = (): boolean => performance.now() < endsAtMs;
      const next = (): void => {
        turn = undefined;
        const lastBeganAtMs = beganAtMs;
        beganAtMs = performance.now();
        if (waiting.size > 0) begin(beganAtMs - lastBeganAtMs);
        for (let item = waiting.shift(); item !== undefined; item = hasTime() ? waiting.shift() : undefined) {
          subscriber.next(item);
        }
        if (isSourceDone && waiting.size === 0) subscriber.complete();
      };
      subscriber.add(() => clearImmediate(turn));
      subscriber.add(
        source$.subscribe({
          next: (item) => {
            if (turn === undefined) {
              beganAtMs = performance.now();
              begin(0);
            }
            if (waiting.size === 0 && hasTime()) subscriber.next(item);
            else waiting.push(item);
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => {
            isSourceDone = true;
            if (waiting.size === 0) subscriber.complete();
          },
        }),
      );
    });
}
