import type { MaybePromise } from '../../flow/maybe-promise.ts';

/** A result that somebody else gives. Who asks for it after that gets it at once, who asks before gets a promise. */
export class Deferred<T> {
  #given: { readonly value: MaybePromise<T> } | { readonly error: Error } | undefined;
  #settle: { readonly resolve: (value: MaybePromise<T>) => void; readonly reject: (error: Error) => void } = {
    resolve: (value) => {
      this.#given ??= { value };
    },
    reject: (error) => {
      this.#given ??= { error };
    },
  };

  /** Gives the result. Only the first one given counts. */
  resolve(value: MaybePromise<T>): void {
    this.#settle.resolve(value);
  }

  reject(error: Error): void {
    this.#settle.reject(error);
  }

  /** To be asked for once. Throws when the result was an error already. */
  result(): MaybePromise<T> {
    const given = this.#given;
    if (given === undefined) {
      return new Promise<T>((resolve, reject) => {
        this.#settle = { resolve, reject };
      });
    }
    if ('error' in given) throw given.error;
    return given.value;
  }
}
