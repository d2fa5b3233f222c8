import { map, Observable, type OperatorFunction, tap } from 'rxjs';
import { BoundedSubject } from './bounded-subject.ts';
import { type Clock, systemClock } from './clock.ts';
import { Ring } from './ring.ts';
import { supervise } from './supervise.ts';

export interface DoorLimits<In> {
  /** Items the operator may hold. */
  readonly capacity: number;
  /** An item that has not come out after this long counts as dropped by the operator, and its room is free again. */
  readonly maxHoldMs: number;
  readonly clock?: Clock;
  /** Told of each item that found the door full. */
  readonly onOverflow: (item: In) => void;
  /** Told that the operator errored and is started again, and how many items it held. */
  readonly onRestart: (error: unknown, attempt: number, lost: number) => void;
  /** Handed the door when the stream starts, for gauges. */
  readonly onDoor?: (door: { readonly depth: number }) => void;
}

/**
 * Any operator behind a bounded door: it holds at most `capacity` items, and one that errors is started again, with what
 * it held counted as lost.
 */
export function behindDoor<In, Out>(
  operator: OperatorFunction<In, Out>,
  limits: DoorLimits<In>,
): OperatorFunction<In, Out> {
  const clock = limits.clock ?? systemClock;
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const door = new BoundedSubject<In>({ capacity: limits.capacity, policy: 'reject', clock });
      limits.onDoor?.(door);
      const heldSince = new Ring<number>();
      const free = (): void => {
        if (heldSince.shift() !== undefined) door.release();
      };
      const expire = (): void => {
        const limit = clock.now() - limits.maxHoldMs;
        while ((heldSince.peek() ?? Number.POSITIVE_INFINITY) <= limit) free();
      };
      const lose = (): number => {
        const lost = heldSince.size;
        while (heldSince.size > 0) free();
        return lost;
      };
      const results$ = door.pipe(
        tap(() => heldSince.push(clock.now())),
        operator,
        map((out) => {
          free();
          return out;
        }),
        supervise({ onRestart: (error, attempt) => limits.onRestart(error, attempt, lose()) }),
      );
      subscriber.add(results$.subscribe(subscriber));
      subscriber.add(
        source$.subscribe({
          next: (item) => {
            expire();
            if (!door.offer(item)) limits.onOverflow(item);
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => door.complete(),
        }),
      );
    });
}
