import type { MaybePromise } from '../flow/maybe-promise.ts';

export interface SignIn {
  readonly kind: 'sign-in' | 'sign-out';
  readonly appId: string;
  readonly userId: string;
  readonly socketId: string;
}

/** Whether a user is signed in anywhere, at a version that rises with each change. */
export interface UserState {
  readonly userId: string;
  readonly online: boolean;
  readonly version: number;
}

/**
 * Who is signed in, on how many connections, for all nodes. A user's first sign-in and last sign-out are announced once
 * over the bus, in version order. Changes of one user take effect in the order of the calls.
 */
export interface SignedInUsers {
  apply(changes: readonly SignIn[]): MaybePromise<void>;
  /** The state of each of these users, in the same order. */
  states(appId: string, userIds: readonly string[]): MaybePromise<readonly UserState[]>;
}
