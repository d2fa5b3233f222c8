import { type Observable, tap } from 'rxjs';
import { inTurns } from './flow/in-turns.ts';

/** A socket whose end was seen or decided, and that is closed by `destroyWire`. */
export interface EndedSocket {
  destroyWire(): void;
}

/** How long wires are destroyed in one turn of the event loop, in milliseconds. */
export const endsSliceMs = 5;

/**
 * Destroys the wires of sockets that have ended: at once, or a few in each turn when thousands of them end together. What
 * follows from a close comes in the turn of that close, so between two turns everybody else is read and written to. And
 * while the ends of a storm are read, a flush that is overdue does not wait until all of them have been.
 *
 * @param onQueue Handed the sockets that wait, for their gauge.
 */
export function endWires<T extends EndedSocket>(
  ends$: Observable<T>,
  fanout: { flushOverdue(): void },
  onQueue: (queue: { readonly size: number }) => void,
): Observable<T> {
  return ends$.pipe(
    tap(() => fanout.flushOverdue()),
    inTurns({ sliceMs: endsSliceMs, onQueue }),
    tap((socket) => socket.destroyWire()),
  );
}
