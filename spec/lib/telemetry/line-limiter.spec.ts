import { describe, expect, it } from '@jest/globals';
import { LineLimiter, maxLinesPerSecond } from '../../../lib/telemetry/line-limiter.ts';

function limiting() {
  const told: string[] = [];
  return { told, limiter: new LineLimiter((event, lines) => told.push(`${event} ${lines}`)) };
}

function admitted(limiter: LineLimiter, event: string, times: number, nowMs: number): number {
  return Array.from({ length: times }, () => limiter.admits(event, nowMs)).filter(Boolean).length;
}

describe('LineLimiter', () => {
  it('admits so many lines of one event in a second and no more', () => {
    const { limiter, told } = limiting();
    expect(admitted(limiter, 'a', 1_000, 0)).toBe(maxLinesPerSecond);
    expect(admitted(limiter, 'a', 10, 999)).toBe(0);
    expect(told).toEqual([]);
  });

  it('tells what it kept back once the next second begins', () => {
    const { limiter, told } = limiting();
    admitted(limiter, 'a', maxLinesPerSecond + 7, 0);
    expect(limiter.admits('a', 1_000)).toBe(true);
    expect(told).toEqual(['a 7']);
  });

  it('counts every event for itself', () => {
    const { limiter } = limiting();
    admitted(limiter, 'a', 1_000, 0);
    expect(limiter.admits('b', 0)).toBe(true);
  });

  it('tells the rest when it is flushed, once', () => {
    const { limiter, told } = limiting();
    admitted(limiter, 'a', maxLinesPerSecond + 1, 0);
    limiter.flush();
    limiter.flush();
    expect(told).toEqual(['a 1']);
  });
});
