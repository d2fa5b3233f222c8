import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Worker } from 'node:cluster';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import { WorkTimeout } from '../../../lib/flow/isolate.ts';
import { ForkedWorker } from '../../../lib/workers/forked-worker.ts';
import type { FromWorker, ToWorker } from '../../../lib/workers/messages.ts';

class FakeProcess extends EventEmitter {
  pid: number | undefined = 4_711;
  readonly stdout = new PassThrough();
  readonly kills: string[] = [];

  kill(signal: string): void {
    this.kills.push(signal);
  }
}

/** What `node:cluster` hands out for a process, without the process. */
class FakeClusterWorker extends EventEmitter {
  readonly process = new FakeProcess();
  readonly sent: ToWorker[] = [];
  connected = true;

  isConnected(): boolean {
    return this.connected;
  }

  send(message: ToWorker): void {
    this.sent.push(message);
  }

  says(message: FromWorker): void {
    this.emit('message', message);
  }

  exits(exitCode: number | null, signal: string | null = null): void {
    this.process.emit('exit', exitCode, signal);
  }

  /** Its output is read to the end, and its messages. */
  falls(silent: 'close' | 'disconnect'): void {
    this.process.emit(silent);
  }
}

const { config } = loadConfig({ env: {}, overrides: { apps: [{ id: 'a', key: 'k', secret: 's' }] } });
let forked: FakeClusterWorker;
let lines: string[];
let worker: ForkedWorker;

/** What a promise came to by now. */
async function soFar(promise: Promise<unknown>): Promise<unknown> {
  return await Promise.race([promise.catch(String), Promise.resolve('pending')]);
}

/** Lets everything that is settled be heard of. */
async function passOn(): Promise<void> {
  await jest.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  jest.useFakeTimers();
  forked = new FakeClusterWorker();
  lines = [];
  worker = new ForkedWorker(forked as unknown as Worker, {
    place: 2,
    config,
    isPretty: false,
    onLine: (line) => lines.push(line),
  });
  // Each of them is looked at by the pool; here only by some of the specs.
  worker.listening.catch(() => undefined);
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a forked worker that starts', () => {
  test('is told how to be once it has loaded', () => {
    expect(forked.sent).toEqual([]);
    forked.says({ kind: 'loaded' });
    expect(forked.sent).toEqual([{ kind: 'start', config, isPretty: false, worker: 2 }]);
  });

  test('serves from the moment it listens', async () => {
    expect(worker.isServing).toBe(false);
    forked.says({ kind: 'listening', port: 6_001, nodeId: 'n' });
    expect(await worker.listening).toEqual({ port: 6_001, nodeId: 'n' });
    expect(worker.isServing).toBe(true);
  });

  test('says why it cannot', async () => {
    forked.says({ kind: 'failed', error: { message: 'the port is taken', stack: undefined } });
    await expect(worker.listening).rejects.toThrow('the port is taken');
  });

  test('does not listen any more when it ended, and the end says how', async () => {
    forked.exits(null, 'SIGKILL');
    forked.falls('close');
    forked.falls('disconnect');
    await expect(worker.listening).rejects.toThrow('it ended with SIGKILL');
  });

  test('that could not be spawned has ended, and says what was wrong', async () => {
    forked.process.pid = undefined;
    forked.emit('error', new Error('spawn EAGAIN'));
    forked.process.emit('error', new Error('spawn EAGAIN'));
    await jest.advanceTimersByTimeAsync(1_000);
    await expect(worker.listening).rejects.toThrow('spawn EAGAIN');
    expect(await worker.ended).toEqual({ exitCode: null, signal: null });
  });
});

describe('a forked worker that goes', () => {
  test.each([
    ['says that it leaves', () => forked.says({ kind: 'leaving' })],
    ['exits', () => forked.exits(0)],
  ])('when it %s, serves no more', async (_, goes) => {
    forked.says({ kind: 'listening', port: 1, nodeId: 'n' });
    await worker.listening;
    goes();
    await worker.gone;
    expect(worker.isServing).toBe(false);
  });

  test('never serves when it listens after it was told to stop', async () => {
    forked.says({ kind: 'loaded' });
    worker.stop('a deploy');
    forked.says({ kind: 'listening', port: 1, nodeId: 'n' });
    await worker.listening;
    expect(worker.isServing).toBe(false);
  });

  test('is told to stop, with the reason', () => {
    forked.says({ kind: 'loaded' });
    worker.stop('a deploy');
    expect([forked.sent.at(-1), forked.process.kills]).toEqual([{ kind: 'stop', reason: 'a deploy' }, []]);
  });

  test('is killed when it has not loaded yet: it does not hear', () => {
    worker.stop('a deploy');
    expect([forked.sent, forked.process.kills]).toEqual([[], ['SIGKILL']]);
  });

  test('is sent nothing when the channel to it is closed', () => {
    forked.says({ kind: 'loaded' });
    forked.connected = false;
    worker.stop('a deploy');
    expect(forked.sent.map(({ kind }) => kind)).toEqual(['start']);
  });

  test('has ended when its output and its messages have been read', async () => {
    forked.exits(3);
    forked.falls('close');
    await passOn();
    expect(await soFar(worker.ended)).toBe('pending');
    forked.says({ kind: 'last-metrics', metrics: [] });
    forked.falls('disconnect');
    expect(await worker.ended).toEqual({ exitCode: 3, signal: null });
  });

  test('has ended a second after its exit at the latest', async () => {
    forked.exits(3);
    await jest.advanceTimersByTimeAsync(999);
    expect(await soFar(worker.ended)).toBe('pending');
    await jest.advanceTimersByTimeAsync(1);
    expect(await worker.ended).toEqual({ exitCode: 3, signal: null });
  });

  test('leaves no timer behind', async () => {
    forked.exits(0);
    forked.falls('close');
    forked.falls('disconnect');
    await worker.ended;
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a forked worker that is asked', () => {
  const ask = () => worker.ask({ kind: 'backlogs' }, 500);
  const idOf = (message: ToWorker | undefined): number => (message?.kind === 'question' ? message.id : NaN);

  test('answers each question by its number', async () => {
    const [one, other] = [ask(), ask()];
    const [first, second] = forked.sent.map(idOf) as [number, number];
    forked.says({ kind: 'answer', id: second, answer: ['second'] });
    forked.says({ kind: 'answer', id: first, answer: ['first'] });
    expect(await Promise.all([one, other])).toEqual([['first'], ['second']]);
  });

  test('may say that it cannot', async () => {
    const answer = ask();
    const id = idOf(forked.sent.at(-1));
    forked.says({ kind: 'no-answer', id, error: { message: 'not yet', stack: undefined } });
    await expect(answer).rejects.toThrow('not yet');
  });

  test('has its time', async () => {
    const refused = expect(ask()).rejects.toBeInstanceOf(WorkTimeout);
    await jest.advanceTimersByTimeAsync(500);
    await refused;
  });

  test('and ends meanwhile, is said to have ended', async () => {
    const refused = expect(ask()).rejects.toThrow('worker 2 ended with exit code 1');
    forked.exits(1);
    forked.falls('close');
    forked.falls('disconnect');
    await refused;
  });
});

describe('what a forked worker leaves', () => {
  test('are the lines it wrote, each whole', () => {
    forked.process.stdout.write('{"a":1}\n{"b"');
    forked.process.stdout.write(':2}\n');
    expect(lines).toEqual(['{"a":1}\n', '{"b":2}\n']);
  });

  test('is what it counted', () => {
    const metrics = [{ name: 'spillway_x', help: 'x', type: 'counter', values: [] }];
    expect(worker.metrics).toEqual([]);
    forked.says({ kind: 'last-metrics', metrics: metrics as never });
    expect(worker.metrics).toBe(metrics);
  });
});
