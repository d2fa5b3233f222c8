import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import { Ring } from './ring.ts';

export interface TurnLimits {
  /**
   * How long items may take in one turn of the event loop: this share of the turn before, in milliseconds at least and at
   * most so many. The rest comes in the next turns: the longer these are, the more comes in each.
   */
  readonly share: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** Handed the queue when the stream starts, for gauges. How much it may hold is for the source to bound. */
  readonly onQueue?: (queue: { readonly size: number }) => void;
}

/**
 * Passes items on at once while they take little time, and spreads those of a storm over turns of the event loop: thousands
 * of sockets that close do so in one phase of one turn, and nobody is read meanwhile.
 */
export function inTurns<T>(limits: TurnLimits): MonoTypeOperatorFunction<T> {
  const { share, leastMs, mostMs, onQueue } = limits;
  return (source$) =>
    new Observable<T>((subscriber) => {
      const waiting = new Ring<T>();
      onQueue?.(waiting);
      let turn: NodeJS.Immediate | undefined;
      let beganAtMs = 0;
      let endsAtMs = 0;
      let isSourceDone = false;
      const begin = (lastTurnMs: number): void => {
        endsAtMs = beganAtMs + Math.min(mostMs, Math.max(leastMs, lastTurnMs * share));
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
