import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Lull } from '../../../lib/cluster/lull.ts';

let lull: Lull;
let begun: string[];
let nowMs: number;

beforeEach(() => {
  jest.useFakeTimers();
  [lull, begun, nowMs] = [new Lull(), [], 1000];
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const wait = (name: string): void => lull.wait(() => begun.push(name));
const turn = (): void => {
  jest.advanceTimersToNextTimer();
};

describe('who waits for a lull', () => {
  test('begins in the next turn of the event loop when nothing arrives', () => {
    lull.arrived();
    wait('alone');
    expect(begun).toEqual([]);
    turn();
    expect(begun).toEqual(['alone']);
  });

  test('begins a turn later, with all others, when something arrives meanwhile', () => {
    wait('first');
    lull.arrived();
    wait('second');
    turn();
    expect(begun).toEqual([]);
    turn();
    expect(begun).toEqual(['first', 'second']);
  });

  test('begins after 25 ms when something arrives in every turn', () => {
    wait('one of many');
    for (let passedMs = 1; passedMs < 25; passedMs++) {
      nowMs++;
      lull.arrived();
      turn();
    }
    expect(begun).toEqual([]);
    nowMs++;
    lull.arrived();
    turn();
    expect(begun).toEqual(['one of many']);
  });

  test('may wait again as soon as it begins', () => {
    lull.wait(() => wait('again'));
    turn();
    expect(begun).toEqual([]);
    turn();
    expect(begun).toEqual(['again']);
  });
});
