import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Overdue } from '../../../lib/redis/overdue.ts';

let told: number;
let overdue: Overdue;

beforeEach(() => {
  jest.useFakeTimers();
  told = 0;
  overdue = new Overdue(1000, () => told++);
});

afterEach(() => {
  overdue.close();
  jest.useRealTimers();
});

it('calls that are answered in time are not overdue, however many there are', () => {
  for (let at = 0; at < 20; at++) {
    const answered = overdue.begin();
    jest.advanceTimersByTime(300);
    answered();
  }
  expect(told).toBe(0);
  expect(overdue.waiting).toBe(0);
});

it('a call that waits too long is told, though others are answered', () => {
  overdue.begin();
  jest.advanceTimersByTime(500);
  overdue.begin()();
  jest.advanceTimersByTime(499);
  expect(told).toBe(0);
  jest.advanceTimersByTime(2);
  expect(told).toBe(1);
});

it('a late call is told within a quarter of the limit of its time, also behind one that was answered', () => {
  const answered = overdue.begin();
  jest.advanceTimersByTime(900);
  overdue.begin();
  answered();
  jest.advanceTimersByTime(999);
  expect(told).toBe(0);
  jest.advanceTimersByTime(251);
  expect(told).toBe(1);
});

it('no timer is left when nothing waits', () => {
  overdue.begin()();
  jest.advanceTimersByTime(5000);
  expect(jest.getTimerCount()).toBe(0);
});

it('time in which this process stood still does not count', async () => {
  jest.useRealTimers();
  overdue = new Overdue(80, () => told++);
  const answered = overdue.begin();
  const startedMs = performance.now();
  while (performance.now() - startedMs < 200);
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(told).toBe(0);
  answered();
});
