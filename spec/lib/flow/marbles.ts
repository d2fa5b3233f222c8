import { expect } from '@jest/globals';
import { TestScheduler } from 'rxjs/testing';

export type Marbles = Parameters<Parameters<TestScheduler['run']>[0]>[0] & {
  /** Virtual milliseconds since the start. */
  readonly now: () => number;
};

/** Runs a spec in virtual time: a marble's column is its millisecond, and timers follow. */
export function marbles(spec: (helpers: Marbles) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => spec({ ...helpers, now: () => scheduler.now() }));
}
