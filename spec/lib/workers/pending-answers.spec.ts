import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { PendingAnswers } from '../../../lib/workers/pending-answers.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('questions to a worker', () => {
  test('are told apart by their numbers, in whatever order the answers come', async () => {
    const pending = new PendingAnswers();
    const ids: number[] = [];
    const asked = ['a', 'b'].map(() => pending.ask((id) => ids.push(id), 100));
    pending.answered(ids[1]!, 'second');
    pending.answered(ids[0]!, 'first');
    expect(await Promise.all(asked)).toEqual(['first', 'second']);
    expect(pending.size).toBe(0);
  });

  test('may be refused', async () => {
    const pending = new PendingAnswers();
    const asked = pending.ask((id) => pending.refused(id, new Error('no')), 100);
    await expect(asked).rejects.toThrow('no');
  });

  test('have their time; what comes later is left out', async () => {
    const pending = new PendingAnswers();
    let id = 0;
    const asked = pending.ask((one) => (id = one), 100);
    jest.advanceTimersByTime(100);
    await expect(asked).rejects.toMatchObject({ name: 'WorkTimeout', timeoutMs: 100 });
    pending.answered(id, 'late');
    expect([pending.size, jest.getTimerCount()]).toEqual([0, 0]);
  });

  test('end with the worker, and then none is asked', async () => {
    const pending = new PendingAnswers();
    const asked = pending.ask(() => undefined, 100);
    pending.end(new Error('it ended'));
    await expect(asked).rejects.toThrow('it ended');
    const send = jest.fn();
    await expect(pending.ask(send, 100)).rejects.toThrow('it ended');
    expect(send).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});
