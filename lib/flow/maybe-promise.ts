/** A result that is there now or later. Stores answer so: the memory path never touches a promise. */
export type MaybePromise<T> = T | PromiseLike<T>;

export function isPromise<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Continues with `next` now when the value is there, otherwise when it comes. */
export function andThen<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Runs `work`; whether it throws or its promise rejects, `mend` decides what comes of it. */
export function recover<T>(work: () => MaybePromise<T>, mend: (error: unknown) => T): MaybePromise<T> {
  try {
    const result = work();
    return isPromise(result) ? result.then(undefined, mend) : result;
  } catch (error) {
    return mend(error);
  }
}
