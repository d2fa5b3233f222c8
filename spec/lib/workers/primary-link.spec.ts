import cluster from 'node:cluster';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import type { FromWorker, ToWorker } from '../../../lib/workers/messages.ts';
import { PrimaryLink } from '../../../lib/workers/primary-link.ts';

const { config } = loadConfig({ env: {}, overrides: { apps: [{ id: 'a', key: 'k', secret: 's' }] } });
const start: ToWorker = { kind: 'start', config, worker: 1, isPretty: false };
const question: ToWorker = { kind: 'question', id: 7, question: { kind: 'backlogs' } };
const channel = {
  send: Reflect.get(process, 'send') as unknown,
  connected: process.connected,
  worker: cluster.worker,
};
let sent: FromWorker[];
let ownWorker: EventEmitter & { exitedAfterDisconnect?: boolean };
let link: PrimaryLink;

/** The primary's messages are events of the process. */
function hears(message: ToWorker): void {
  for (const listener of process.listeners('message').slice(-1)) {
    (listener as (message: ToWorker) => void)(message);
  }
}

function setChannel(given: { send: unknown; connected: boolean; worker: unknown }): void {
  Object.assign(process, { send: given.send, connected: given.connected });
  Object.assign(cluster, { worker: given.worker });
}

beforeEach(() => {
  sent = [];
  ownWorker = new EventEmitter();
  const send = (message: FromWorker, _: unknown, __: unknown, done: () => void): void => {
    sent.push(message);
    done();
  };
  setChannel({ send, connected: true, worker: ownWorker });
  link = new PrimaryLink();
});
afterEach(() => {
  for (const listener of process.listeners('message').slice(-1)) process.off('message', listener);
  setChannel(channel);
});

test('a worker is told how to be', async () => {
  hears(start);
  expect(await link.told).toEqual(start);
});

describe('a worker that is to stop', () => {
  test('stops, and knows why', () => {
    const stop = jest.fn();
    link.onStop(stop);
    hears({ kind: 'stop', reason: 'a deploy' });
    expect([stop.mock.calls.length, link.stopReason]).toEqual([1, 'a deploy']);
  });

  test('stops even when it could not yet when it was told', () => {
    hears({ kind: 'stop', reason: 'a deploy' });
    const stop = jest.fn();
    link.onStop(stop);
    expect(stop).toHaveBeenCalledTimes(1);
  });

  test('keeps the first reason', () => {
    hears({ kind: 'stop', reason: 'a deploy' });
    hears({ kind: 'stop', reason: 'another' });
    expect(link.stopReason).toBe('a deploy');
  });

  test('does so of itself when the primary has ended, and is not ended at once', () => {
    const stop = jest.fn();
    link.onStop(stop);
    hears(start);
    ownWorker.emit('disconnect');
    expect([link.stopReason, stop.mock.calls.length]).toEqual(['primary ended', 1]);
    expect(ownWorker.exitedAfterDisconnect).toBe(true);
  });
});

describe('a question of the primary', () => {
  /** What was sent after everything that is under way. */
  async function answers(): Promise<readonly FromWorker[]> {
    await new Promise((done) => setImmediate(done));
    return sent;
  }

  test('is answered under its number', async () => {
    link.answerWith(({ kind }) => Promise.resolve([kind]));
    hears(question);
    expect(await answers()).toEqual([{ kind: 'answer', id: 7, answer: ['backlogs'] }]);
  });

  test('is refused while nobody answers', async () => {
    hears(question);
    expect(await answers()).toMatchObject([
      { kind: 'no-answer', id: 7, error: { message: 'the worker does not listen yet' } },
    ]);
  });

  test('is refused with what went wrong', async () => {
    link.answerWith(() => Promise.reject(new Error('no such app')));
    hears(question);
    expect(await answers()).toMatchObject([{ kind: 'no-answer', id: 7, error: { message: 'no such app' } }]);
  });
});

describe('what a worker says to a primary that has ended', () => {
  test.each([
    ['is connected no more', { send: jest.fn(), connected: false }],
    ['never was', { send: undefined, connected: false }],
  ])('is dropped when it %s', async (_, given) => {
    setChannel({ ...given, worker: ownWorker });
    await link.send({ kind: 'leaving' });
    expect(sent).toEqual([]);
  });
});
