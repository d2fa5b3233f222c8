import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import { DROP } from '../../../lib/stages/stage.ts';
import { settled } from '../flow/promises.ts';
import { promised, runEvents } from './event-run.ts';

const slot = 'publish:accepted';
const failing = (fails: (data: string) => boolean) =>
  defineStage({
    name: 'spec',
    slot,
    map: (event) => {
      if (fails(event.data)) throw new Error('broken');
      return event;
    },
  });
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe('a stage that throws', () => {
  test('loses one item and the stream goes on', () => {
    const { send, out } = runEvents([failing((data) => data === 'b')]);
    send('a', 'b', 'c');
    expect(out).toEqual(['a', 'c']);
  });

  test('sends the item to the error exit', () => {
    const { send, refused } = runEvents([failing((data) => data === 'b')]);
    send('a', 'b', 'c');
    expect(refused).toEqual([['b', 'stage.failed']]);
  });

  test('is named in the log, with the cause', () => {
    const { send, log } = runEvents([failing(() => true)]);
    send('a');
    const [failed] = log.all('stage.failed');
    expect(failed).toMatchObject({ stage: 'spec', pipeline: 'publish', code: 'stage.failed' });
    expect((failed?.err as Error).cause).toEqual(new Error('broken'));
  });

  test('an error of the catalogue keeps its code', () => {
    const refuse = defineStage({
      name: 'refuse',
      slot,
      map: () => {
        throw new SpillwayError('http.data-too-large', { limitBytes: 1 });
      },
    });
    const { send, refused } = runEvents([refuse]);
    send('a');
    expect(refused).toEqual([['a', 'http.data-too-large']]);
  });

  test('because of its sender is no news for the log', () => {
    const refuse = defineStage({
      name: 'refuse',
      slot,
      filter: () => {
        throw new SpillwayError('http.malformed-json');
      },
    });
    const { send, log } = runEvents([refuse]);
    send('a');
    expect(log.all('stage.failed')).toEqual([]);
  });

  test('after the first of two items of a split loses only that one', () => {
    const twice = defineStage({ name: 'twice', slot, split: (e) => [e, { ...e, data: `${e.data}2` }] });
    const { send, out } = runEvents([twice, failing((data) => data === 'a')]);
    send('a');
    expect(out).toEqual(['a2']);
  });
});

describe('a tap that fails', () => {
  const tap = defineStage({
    name: 'tap',
    slot,
    tap: () => {
      throw new Error('broken');
    },
  });
  const late = defineStage({ name: 'tap', slot, tap: () => Promise.reject(new Error('broken')) });

  test('loses nothing for others', () => {
    const { send, out, refused } = runEvents([tap]);
    send('a', 'b');
    expect([out, refused]).toEqual([['a', 'b'], []]);
  });

  test('is counted and told', () => {
    const { send, stats, log } = runEvents([tap]);
    send('a');
    expect([stats('tap').failed, log.all('stage.failed').length]).toEqual([1, 1]);
  });

  test('later, with a promise, loses nothing either', async () => {
    const { send, out } = runEvents([late]);
    send('a', 'b');
    await settled();
    expect(out).toEqual(['a', 'b']);
  });

  test('later, with a promise, is counted all the same', async () => {
    const { send, stats } = runEvents([late]);
    send('a');
    await settled();
    expect(stats('tap').failed).toBe(1);
  });

  test('ten times in a row is passed over, and items still come through', () => {
    const { send, out, stats } = runEvents([tap]);
    send(...numbers(12));
    expect([out.length, stats('tap').failed]).toEqual([12, 10]);
  });
});

describe('DROP', () => {
  test('takes an item out, and nobody is told', () => {
    const drop = defineStage({ name: 'drop', slot, map: (event) => (event.data === 'a' ? DROP : event) });
    const { send, out, refused } = runEvents([drop]);
    send('a', 'b');
    expect([out, refused]).toEqual([['b'], []]);
  });

  test('may be promised', async () => {
    const drop = defineStage({ name: 'drop', slot, map: () => Promise.resolve(DROP) });
    const { send, stats } = runEvents([drop]);
    send('a');
    await settled();
    expect(stats('drop').dropped).toBe(1);
  });
});

describe('a split', () => {
  test('gives any number of items, in order', () => {
    const split = defineStage({
      name: 'split',
      slot,
      split: (event) => event.data.split('-').map((data) => ({ ...event, data })),
    });
    const { send, out } = runEvents([split]);
    send('a-b-c', 'd');
    expect(out).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a stage that answers a promise', () => {
  function waiting() {
    const answers = new Map<string, ReturnType<typeof promised<void>>>();
    const wait = defineStage({
      name: 'wait',
      slot,
      map: (event) => {
        const answer = promised<void>();
        answers.set(event.data, answer);
        return answer.promise.then(() => event);
      },
    });
    return { answers, ...runEvents([wait]) };
  }

  test('holds up the next items of its key', async () => {
    const { send, answers } = waiting();
    send('a@x', 'b@x');
    await settled();
    expect([...answers.keys()]).toEqual(['a']);
  });

  test('keeps the order of its key', async () => {
    const { send, answers, out } = waiting();
    send('a@x', 'b@x');
    answers.get('a')?.resolve();
    await settled();
    answers.get('b')?.resolve();
    await settled();
    expect(out).toEqual(['a', 'b']);
  });

  test('holds up no other key', async () => {
    const { send, answers, out } = waiting();
    send('a@x', 'b@y');
    answers.get('b')?.resolve();
    await settled();
    expect(out).toEqual(['b']);
  });

  test('that is rejected loses its item, and the next one has its turn', async () => {
    const { send, answers, out, refused } = waiting();
    send('a@x', 'b@x');
    answers.get('a')?.reject(new Error('lost'));
    await settled();
    answers.get('b')?.resolve();
    await settled();
    expect([out, refused]).toEqual([['b'], [['a', 'stage.failed']]]);
  });

  test('is waited for when the source completes', async () => {
    const { send, answers, complete, completed } = waiting();
    const done = jest.fn();
    send('a');
    complete();
    void completed.then(done);
    await settled();
    const before = done.mock.calls.length;
    answers.get('a')?.resolve();
    await completed;
    expect(before).toBe(0);
  });
});

describe('a stage that keeps an item too long', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('loses it after five seconds, and the next one has its turn', async () => {
    const stuck = defineStage({
      name: 'stuck',
      slot,
      map: (event) => (event.data === 'a' ? promised<typeof event>().promise : event),
    });
    const { send, out, refused } = runEvents([stuck]);
    send('a', 'b');
    await jest.advanceTimersByTimeAsync(4_999);
    const before = out.length;
    await jest.advanceTimersByTimeAsync(1);
    expect([before, out, refused]).toEqual([0, ['b'], [['a', 'stage.timeout']]]);
  });
});
