import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '../../../../lib/flow/clock.ts';
import { Deadline, DeadlineQueue } from '../../../../lib/outbox/memory/deadline-queue.ts';

class Item extends Deadline<Item> {
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }
}

function items(count: number): readonly Item[] {
  return Array.from({ length: count }, (_, number) => new Item(number));
}

describe('a queue of deadlines', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  function open() {
    const fired: number[] = [];
    return { fired, queue: new DeadlineQueue<Item>(systemClock, 1_000, ({ number }) => fired.push(number)) };
  }

  test('fires each at its time, in the order of arming', () => {
    const { queue, fired } = open();
    queue.arm(new Item(2));
    jest.advanceTimersByTime(600);
    queue.arm(new Item(1));
    jest.advanceTimersByTime(399);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual([2]);
    jest.advanceTimersByTime(600);
    expect(fired).toEqual([2, 1]);
  });

  test('fires in time when the clock is set back', () => {
    const { queue, fired } = open();
    queue.arm(new Item(1));
    jest.setSystemTime(Date.now() - 3_600_000);
    jest.advanceTimersByTime(1_000);
    expect(fired).toEqual([1]);
  });

  test('has one timer, however many are armed again while they fire', () => {
    let left = 3_000;
    const queue: DeadlineQueue<Item> = new DeadlineQueue(systemClock, 1_000, (item) => {
      if (left-- > 0) queue.arm(item);
    });
    for (const item of items(600)) queue.arm(item);
    for (let round = 0; round < 3; round++) {
      jest.advanceTimersByTime(1_010);
      expect(jest.getTimerCount()).toBeLessThanOrEqual(1);
    }
  });

  test('does not fire what was cancelled', () => {
    const { queue, fired } = open();
    const item = new Item(1);
    queue.arm(item);
    expect([queue.cancel(item), queue.cancel(item)]).toEqual([true, false]);
    jest.advanceTimersByTime(2_000);
    expect([fired, queue.size]).toEqual([[], 0]);
  });

  test('keeps the first deadline of what is armed twice', () => {
    const { queue, fired } = open();
    const item = new Item(1);
    queue.arm(item);
    jest.advanceTimersByTime(500);
    queue.arm(item);
    jest.advanceTimersByTime(500);
    expect(fired).toEqual([1]);
  });

  test('lets others have their turn after 500', () => {
    const { queue, fired } = open();
    for (const item of items(1_200)) queue.arm(item);
    const lengths: number[] = [];
    setTimeout(() => setImmediate(() => lengths.push(fired.length)), 1_000);
    jest.advanceTimersToNextTimer();
    lengths.push(fired.length);
    jest.advanceTimersByTime(10);
    expect([lengths[0], fired.length]).toEqual([500, 1_200]);
    expect(fired).toEqual([...fired].sort((a, b) => a - b));
  });

  test('does not fire what is cancelled between two turns', () => {
    const { queue, fired } = open();
    const armed = items(600);
    for (const item of armed) queue.arm(item);
    jest.advanceTimersToNextTimer();
    for (const item of armed.slice(-1)) queue.cancel(item);
    jest.advanceTimersByTime(10);
    expect([fired.length, fired.at(-1)]).toEqual([599, 598]);
  });

  test('fires everything now when it is settled', () => {
    const { queue, fired } = open();
    queue.arm(new Item(1));
    queue.arm(new Item(2));
    queue.settle();
    expect([fired, queue.size]).toEqual([[1, 2], 0]);
  });

  test('fires nothing when it is closed, and leaves no timer', () => {
    const { queue, fired } = open();
    queue.arm(new Item(1));
    queue.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(2_000);
    expect(fired).toEqual([]);
  });

  test('holds what is armed and not cancelled, in the order of arming', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 7 })), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (taken) => {
        const { queue, fired } = open();
        const all = items(8);
        const model = new Set<number>();
        for (const [arms, number] of taken) {
          const item = all[number] as Item;
          if (arms) queue.arm(item);
          else expect(queue.cancel(item)).toBe(model.has(number));
          if (arms) model.add(number);
          else model.delete(number);
          expect(queue.size).toBe(model.size);
        }
        queue.settle();
        queue.close();
        expect(fired).toEqual([...model]);
      }),
    );
  });
});
