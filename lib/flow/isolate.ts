import { catchError, defer, EMPTY, from, isObservable, type Observable, of, throwError, timeout } from 'rxjs';
import { isPromise, type MaybePromise } from './maybe-promise.ts';

/** Work on one item: a value now, a promise, or a stream of values. */
export type Work<T> = () => MaybePromise<T> | Observable<T>;

/** The work was silent for longer than it may be. */
export class WorkTimeout extends Error {
  override readonly name = 'WorkTimeout';
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

export interface IsolationLimits {
  /** The longest silence of the work, in milliseconds; then it has failed with a `WorkTimeout`. */
  readonly timeoutMs: number;
  /** Told why the work failed. */
  readonly onError: (error: unknown) => void;
}

/**
 * Runs one item's work apart from its neighbours': what it throws, rejects with or is late for goes to `onError`, and
 * the stream it stands in lives on.
 */
export function isolate<T>(work: Work<T>, limits: IsolationLimits): Observable<T> {
  const late = () => throwError(() => new WorkTimeout(limits.timeoutMs));
  return toStream(work).pipe(
    timeout({ each: limits.timeoutMs, with: late }),
    catchError((error: unknown) => {
      limits.onError(error);
      return EMPTY;
    }),
  );
}

/** The work as a stream that begins it when it is subscribed to; what the work throws is the stream's error. */
export function toStream<T>(work: Work<T>): Observable<T> {
  return defer(() => {
    const result = work();
    if (isObservable(result)) return result;
    return isPromise(result) ? from(result) : of(result);
  });
}
