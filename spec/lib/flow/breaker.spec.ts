import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Breaker } from '../../../lib/flow/breaker.ts';
import { later, settled } from './promises.ts';

const limits = { errorThresholdPercentage: 50, volumeThreshold: 5, windowMs: 10_000, resetMs: 5_000 };

describe('a breaker', () => {
  let breaker: Breaker;
  let changes: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    changes = [];
    breaker = new Breaker({ ...limits, onChange: (state) => changes.push(state) });
  });
  afterEach(() => {
    breaker.shutdown();
    jest.useRealTimers();
  });

  const succeed = () => breaker.run(() => Promise.resolve('done'));
  const fail = () =>
    breaker
      .run(() => Promise.reject(new Error('no answer')))
      .catch((error: unknown) => (error as Error).message);

  async function open(): Promise<void> {
    for (let i = 0; i < 5; i++) await fail();
    expect(breaker.state).toBe('open');
  }

  async function halfOpen(): Promise<void> {
    await open();
    jest.advanceTimersByTime(5_000);
    expect(breaker.state).toBe('half-open');
  }

  test('passes on what the work answers and throws', async () => {
    await expect(succeed()).resolves.toBe('done');
    await expect(fail()).resolves.toBe('no answer');
    const throwing = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(breaker.run(throwing)).rejects.toThrow('at once');
    expect(breaker.state).toBe('closed');
  });

  test('opens when half of enough calls failed, and says so once', async () => {
    for (let i = 0; i < 3; i++) await succeed();
    await fail();
    await fail();
    expect([breaker.state, breaker.admits]).toEqual(['closed', true]);
    await fail();
    expect([breaker.state, breaker.admits]).toEqual(['open', false]);
    expect(changes).toEqual(['open']);
  });

  test('stays closed while there are too few calls, however many fail', async () => {
    for (let i = 0; i < 4; i++) await fail();
    expect(breaker.state).toBe('closed');
  });

  test('forgets what is older than its window', async () => {
    for (let i = 0; i < 4; i++) await fail();
    jest.advanceTimersByTime(11_000);
    await fail();
    expect(breaker.state).toBe('closed');
  });

  test('opens on failures that each took longer than the window', async () => {
    const works = Array.from({ length: 5 }, later);
    const runs = works.map(({ promise }) => breaker.run(() => promise));
    jest.advanceTimersByTime(15_000);
    for (const work of works) work.reject(new Error('too slow'));
    await Promise.allSettled(runs);
    expect(breaker.state).toBe('open');
  });

  test('opens on failures while many other calls are under way', async () => {
    const hanging = Array.from({ length: 50 }, later);
    const runs = hanging.map(({ promise }) => breaker.run(() => promise));
    await open();
    for (const { resolve } of hanging) resolve();
    await Promise.all(runs);
    expect(breaker.state).toBe('open');
  });

  test('does no work while it is open', async () => {
    await open();
    const work = jest.fn(() => Promise.resolve());
    await expect(breaker.run(work)).rejects.toThrow('the breaker is open');
    jest.advanceTimersByTime(4_999);
    await expect(breaker.run(work)).rejects.toThrow('the breaker is open');
    expect(work).not.toHaveBeenCalled();
  });

  test('half-opens after `resetMs`, lets exactly one call through and closes when it succeeds', async () => {
    await halfOpen();
    expect(breaker.admits).toBe(true);
    const probe = later();
    const run = breaker.run(() => probe.promise);
    expect([breaker.state, breaker.admits]).toEqual(['half-open', false]);
    const second = jest.fn(() => Promise.resolve());
    await expect(breaker.run(second)).rejects.toThrow('the breaker is open');
    expect(second).not.toHaveBeenCalled();
    probe.resolve();
    await run;
    expect([breaker.state, breaker.admits]).toEqual(['closed', true]);
    expect(changes).toEqual(['open', 'half-open', 'closed']);
  });

  test('opens again, for another `resetMs`, when the probe fails', async () => {
    await halfOpen();
    await fail();
    expect(breaker.state).toBe('open');
    jest.advanceTimersByTime(4_999);
    expect([breaker.state, breaker.admits]).toEqual(['open', false]);
    jest.advanceTimersByTime(1);
    expect([breaker.state, breaker.admits]).toEqual(['half-open', true]);
    await succeed();
    expect(changes).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  test.each(['succeeds', 'fails'])(
    'leaves it to the probe when a call from before the opening %s',
    async (how) => {
      const early = later();
      const run = breaker.run(() => early.promise);
      await halfOpen();
      if (how === 'fails') early.reject(new Error('late'));
      else early.resolve();
      await Promise.allSettled([run]);
      expect([breaker.state, breaker.admits]).toEqual(['half-open', true]);
    },
  );

  test('does not count the calls that it refused', async () => {
    await open();
    for (let i = 0; i < 100; i++) await fail();
    jest.advanceTimersByTime(5_000);
    await succeed();
    expect(breaker.state).toBe('closed');
    await fail();
    expect(breaker.state).toBe('open');
  });

  test('leaves no timer behind when it is shut down, in whatever state', async () => {
    await open();
    expect(jest.getTimerCount()).toBeGreaterThan(0);
    breaker.shutdown();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(60_000);
    expect(changes).toEqual(['open']);
  });

  test('admits nothing after it was shut down, and lets what is under way end', async () => {
    const under = later();
    const run = breaker.run(() => under.promise);
    const failing = Array.from({ length: 5 }, later);
    const failures = failing.map(({ promise }) => breaker.run(() => promise));
    breaker.shutdown();
    expect(breaker.admits).toBe(false);
    await expect(succeed()).rejects.toThrow('the breaker is shut down');
    for (const { reject } of failing) reject(new Error('late'));
    under.resolve();
    await expect(run).resolves.toBeUndefined();
    await Promise.allSettled(failures);
    await settled();
    expect(changes).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('the timers of a breaker', () => {
  const timers: NodeJS.Timeout[] = [];
  const kept = (timer: NodeJS.Timeout): NodeJS.Timeout => {
    timers.push(timer);
    return timer;
  };

  test('do not keep the process alive', async () => {
    const { setInterval: every, setTimeout: after } = globalThis;
    jest
      .spyOn(globalThis, 'setInterval')
      .mockImplementation(((run: () => void, ms: number) => kept(every(run, ms))) as typeof setInterval);
    jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((run: () => void, ms: number) => kept(after(run, ms))) as typeof setTimeout);
    const breaker = new Breaker({ ...limits, volumeThreshold: 1 });
    await breaker.run(() => Promise.reject(new Error('no answer'))).catch(() => undefined);
    jest.restoreAllMocks();
    expect(breaker.state).toBe('open');
    expect(timers.map((timer) => timer.hasRef())).toEqual([false, false]);
    breaker.shutdown();
  });
});
