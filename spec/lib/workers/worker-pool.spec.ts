import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import {
  type Listening,
  type PoolWorker,
  type WorkerEnd,
  WorkerPool,
} from '../../../lib/workers/worker-pool.ts';

/** A process that does what a spec says. */
class FakeWorker implements PoolWorker {
  readonly place: number;
  readonly pid: number;
  readonly listening: Promise<Listening>;
  readonly gone: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  isServing = false;
  readonly reasons: string[] = [];
  /** Whether it ends when it is told to. */
  isObedient = true;
  #listen: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  #go: () => void = () => undefined;
  #end: (end: WorkerEnd) => void = () => undefined;

  constructor(place: number, pid: number) {
    this.place = place;
    this.pid = pid;
    this.listening = new Promise((resolve, reject) => {
      this.#listen = () => resolve({ port: 1, nodeId: `node-${pid}` });
      this.#fail = reject;
    });
    this.gone = new Promise((resolve) => (this.#go = resolve));
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  listen(): void {
    this.isServing = true;
    this.#listen();
  }

  leave(): void {
    this.isServing = false;
    this.#go();
  }

  end(signal: string | null = null): void {
    this.leave();
    this.#fail(new Error('it cannot'));
    this.#end({ exitCode: signal === null ? 1 : null, signal });
  }

  stop(reason: string): void {
    this.reasons.push(reason);
    if (this.isObedient) this.end();
  }

  kill(): void {
    this.end('SIGKILL');
  }
}

const restarts = { firstPauseMs: 100, maxPauseMs: 1_000, calmAfterMs: 60_000 };
let forked: FakeWorker[];
let told: string[];
let ended: number[];
let pool: WorkerPool<FakeWorker>;
let hasNoProcess: boolean;

beforeEach(() => {
  jest.useFakeTimers();
  hasNoProcess = false;
  forked = [];
  told = [];
  ended = [];
  const telemetry = new Telemetry();
  telemetry.events$.subscribe(({ name }) => told.push(name));
  pool = new WorkerPool<FakeWorker>({
    size: 2,
    fork: (place) => {
      if (hasNoProcess) throw new Error('EAGAIN');
      const worker = new FakeWorker(place, forked.length + 101);
      forked.push(worker);
      return worker;
    },
    telemetry,
    deadlineMs: 1_000,
    onEnded: ({ pid }) => ended.push(pid),
    restarts,
  });
});
afterEach(async () => {
  await pool.stop('spec');
  jest.useRealTimers();
});

const at = (index: number): FakeWorker => forked[index]!;
const pids = (): readonly number[] => pool.serving.map(({ pid }) => pid);
const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

async function started(): Promise<void> {
  const starting = pool.start();
  for (const worker of forked) worker.listen();
  await starting;
}

describe('the start of a pool', () => {
  test('is over when every worker listens', async () => {
    const starting = pool.start();
    const done = jest.fn();
    void starting.then(done);
    at(0).listen();
    await pass(0);
    expect(done).not.toHaveBeenCalled();
    at(1).listen();
    expect(await starting).toEqual({ port: 1, nodeId: 'node-101' });
    expect(forked.map(({ place }) => place)).toEqual([1, 2]);
  });

  test('that one worker cannot make fails with its reason, and leaves none', async () => {
    const starting = pool.start();
    at(0).listen();
    at(1).end();
    await expect(starting).rejects.toThrow('it cannot');
    expect(at(0).reasons).toEqual(['start failed']);
    expect(pool.alive).toEqual([]);
    await pass(10_000);
    expect(forked).toHaveLength(2);
  });

  test('for which there is no process fails with the reason, and leaves none', async () => {
    hasNoProcess = true;
    await expect(pool.start()).rejects.toThrow('EAGAIN');
    expect(pool.alive).toEqual([]);
  });

  test('replaces one that went while others were starting', async () => {
    const starting = pool.start();
    at(0).listen();
    await pass(0);
    at(0).end();
    at(1).listen();
    await starting;
    await pass(100);
    expect(forked[2]).toMatchObject({ place: 1 });
  });
});

describe('a worker that is lost', () => {
  test('is replaced after a pause that grows', async () => {
    await started();
    at(0).end();
    await pass(99);
    expect(forked).toHaveLength(2);
    await pass(1);
    expect(forked).toHaveLength(3);
    at(2).end();
    await pass(199);
    expect(forked).toHaveLength(3);
    await pass(1);
    at(3).listen();
    await pass(0);
    expect(pids()).toEqual([104, 102]);
    expect(told.filter((name) => name === 'worker.lost')).toHaveLength(2);
    expect(ended).toEqual([101, 103]);
  });

  test('is replaced when it leaves, before it has ended, and once', async () => {
    await started();
    at(1).leave();
    await pass(100);
    expect(forked).toHaveLength(3);
    at(1).end();
    await pass(10_000);
    expect(forked).toHaveLength(3);
    expect(told.filter((name) => name === 'worker.lost')).toHaveLength(1);
  });

  test('for which there is no process is tried again', async () => {
    await started();
    hasNoProcess = true;
    at(0).end();
    await pass(100);
    expect(forked).toHaveLength(2);
    expect(told).toContain('worker.start-failed');
    hasNoProcess = false;
    await pass(200);
    at(2).listen();
    await pass(0);
    expect(pids()).toEqual([103, 102]);
  });

  test('is not replaced any more once the pool stops', async () => {
    await started();
    at(0).end();
    await pass(50);
    await pool.stop('SIGTERM');
    await pass(10_000);
    expect(forked).toHaveLength(2);
  });
});

describe('a rolling restart', () => {
  test('tells a worker to go when its successor listens, one after the other', async () => {
    await started();
    const rolling = pool.roll();
    await pass(0);
    expect(forked.map(({ place }) => place)).toEqual([1, 2, 1]);
    expect(pids()).toEqual([101, 102]);
    at(0).isObedient = false;
    at(2).listen();
    await pass(0);
    expect(at(0).reasons).toEqual(['SIGHUP']);
    expect(pids()).toEqual([103, 102]);
    expect(forked).toHaveLength(3);
    at(0).end();
    await pass(0);
    at(3).listen();
    await rolling;
    expect(pids()).toEqual([103, 104]);
    expect(told).not.toContain('worker.lost');
    expect(told.at(-1)).toBe('workers.restarted');
  });

  test('stops at a successor that cannot start: the others stay', async () => {
    await started();
    const rolling = pool.roll();
    await pass(0);
    at(2).end();
    await rolling;
    await pass(10_000);
    expect(pids()).toEqual([101, 102]);
    expect(forked).toHaveLength(3);
    expect(told).toContain('workers.restart-failed');
    expect(told).not.toContain('worker.lost');
  });

  test('stops where there is no process for a successor: the others stay', async () => {
    await started();
    hasNoProcess = true;
    await pool.roll();
    expect(pids()).toEqual([101, 102]);
    expect(told).toContain('workers.restart-failed');
  });

  test('does not wait for ever for a successor, and can be asked for again', async () => {
    await started();
    const rolling = pool.roll();
    await pass(59_999);
    expect(told).not.toContain('workers.restart-failed');
    await pass(1);
    await rolling;
    expect(pids()).toEqual([101, 102]);
    expect(pool.alive).toHaveLength(2);
    expect(told).toContain('workers.restart-failed');
    const again = pool.roll();
    await pass(0);
    for (const index of [3, 4]) {
      at(index).listen();
      await pass(0);
    }
    await again;
    expect(pids()).toEqual([104, 105]);
  });

  test('asked for meanwhile is done once more', async () => {
    await started();
    const rolling = pool.roll();
    void pool.roll();
    void pool.roll();
    for (const index of [2, 3, 4, 5]) {
      await pass(0);
      at(index).listen();
    }
    await rolling;
    expect(pids()).toEqual([105, 106]);
    expect(forked).toHaveLength(6);
  });

  test('takes the place of a worker that was lost meanwhile, and of no second one', async () => {
    await started();
    const rolling = pool.roll();
    await pass(0);
    at(0).end();
    await pass(50);
    at(2).listen();
    await pass(10_000);
    at(3).listen();
    await rolling;
    expect(pids()).toEqual([103, 104]);
    expect(forked).toHaveLength(4);
  });

  test('ends with a stop, its successor too', async () => {
    await started();
    const rolling = pool.roll();
    await pass(0);
    await pool.stop('SIGTERM');
    await rolling;
    expect(at(2).reasons).toEqual(['SIGTERM']);
    expect([pool.alive.length, forked.length]).toEqual([0, 3]);
    expect(told).not.toContain('workers.restart-failed');
  });
});

describe('the stop of a pool', () => {
  test('kills what does not end within the deadline and five seconds', async () => {
    await started();
    at(0).isObedient = false;
    const stopping = pool.stop('SIGTERM');
    await pass(5_999);
    expect(pool.alive.map(({ pid }) => pid)).toEqual([101]);
    await pass(1);
    await stopping;
    expect(pool.alive).toEqual([]);
    expect(told).toContain('worker.killed');
    expect(told).not.toContain('worker.lost');
  });
});
