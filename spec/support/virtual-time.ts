import { jest } from '@jest/globals';

const realImmediate = setImmediate;

/** Everything in the product waits for this clock: timers, dates, measurements. Undone by `jest.useRealTimers()`. */
export function useVirtualTime(): void {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'], now: 1_700_000_000_000 });
}

/** Lets virtual time pass, timer by timer; after each, all promises that can be settled are. */
export async function elapse(ms: number): Promise<void> {
  const wait = { isOver: false };
  setTimeout(() => {
    wait.isOver = true;
  }, ms);
  await settlePromises();
  while (!wait.isOver) {
    jest.advanceTimersToNextTimer();
    await settlePromises();
  }
}

/** Lets virtual time pass until the work is done. */
export async function elapseUntil<T>(work: Promise<T>, limitMs = 600_000): Promise<T> {
  const state = { isDone: false };
  const end = (): void => {
    state.isDone = true;
  };
  work.then(end, end);
  await settlePromises();
  const lastMs = Date.now() + limitMs;
  while (!state.isDone) {
    if (Date.now() >= lastMs) throw new Error(`not done within ${limitMs} ms of virtual time`);
    await elapse(10);
  }
  return work;
}

/** A turn of the real event loop: promises that wait for no timer are through. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}
