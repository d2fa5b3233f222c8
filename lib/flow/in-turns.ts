import { Observable, type MonoTypeOperatorFunction, type Subscriber } from 'rxjs';
import { Ring } from './ring.ts';

export interface TurnLimits {
  /**
   * How long items may take in one turn of the event loop: this share of the turn before, in milliseconds at least and at
   * most so many. The rest comes in the next turns: the longer these are, the more comes in each.
   */
  readonly share: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** Items that may wait. For one more the oldest is passed on at once, whatever time that takes. */
  readonly capacity: number;
  /** Handed the queue when the stream starts, for gauges. */
  readonly onQueue?: (queue: TurnQueue) => void;
}

export interface TurnQueue {
  readonly size: number;
  /** Items passed on before their turn, for others had no room. */
  readonly overflows: number;
}

/**
 * Passes items on at once while they take little time, and spreads those of a storm over turns of the event loop: thousands
 * of sockets that close do so in one phase of one turn, and nobody is read meanwhile.
 */
export function inTurns<T>(limits: TurnLimits): MonoTypeOperatorFunction<T> {
  return (source$) =>
    new Observable<T>((subscriber) => {
      const turns = new Turns(limits, subscriber);
      limits.onQueue?.(turns);
      subscriber.add(() => turns.stop());
      subscriber.add(
        source$.subscribe({
          next: (item) => turns.take(item),
          error: (error: unknown) => subscriber.error(error),
          complete: () => turns.complete(),
        }),
      );
    });
}

/** The items of one stream, and the turn that is under way; there is one from the first item on until nothing waits. */
class Turns<T> implements TurnQueue {
  overflows = 0;
  readonly #limits: TurnLimits;
  readonly #subscriber: Subscriber<T>;
  readonly #waiting = new Ring<T>();
  #nextTurn: NodeJS.Immediate | undefined;
  #beganAtMs = 0;
  #endsAtMs = 0;
  #isSourceDone = false;

  constructor(limits: TurnLimits, subscriber: Subscriber<T>) {
    this.#limits = limits;
    this.#subscriber = subscriber;
  }

  get size(): number {
    return this.#waiting.size;
  }

  take(item: T): void {
    if (this.#nextTurn === undefined) {
      this.#beganAtMs = performance.now();
      this.#begin(0);
    }
    if (this.#waiting.size === 0 && this.#hasTime()) {
      this.#subscriber.next(item);
      return;
    }
    this.#waiting.push(item);
    if (this.#waiting.size > this.#limits.capacity) {
      this.overflows++;
      this.#passOldest();
    }
  }

  complete(): void {
    this.#isSourceDone = true;
    this.#completeIfEmpty();
  }

  stop(): void {
    clearImmediate(this.#nextTurn);
  }

  #begin(lastTurnMs: number): void {
    const { share, leastMs, mostMs } = this.#limits;
    this.#endsAtMs = this.#beganAtMs + Math.min(mostMs, Math.max(leastMs, lastTurnMs * share));
    this.#nextTurn = setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#nextTurn = undefined;
    const lastBeganAtMs = this.#beganAtMs;
    this.#beganAtMs = performance.now();
    if (this.#waiting.size === 0) return;
    this.#begin(this.#beganAtMs - lastBeganAtMs);
    do this.#passOldest();
    while (this.#waiting.size > 0 && this.#hasTime());
    this.#completeIfEmpty();
  }

  #hasTime(): boolean {
    return performance.now() < this.#endsAtMs;
  }

  #passOldest(): void {
    const item = this.#waiting.shift();
    if (item !== undefined) this.#subscriber.next(item);
  }

  #completeIfEmpty(): void {
    if (this.#isSourceDone && this.#waiting.size === 0) this.#subscriber.complete();
  }
}
