import { describe, expect, jest, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import { DROP } from '../../../lib/stages/stage.ts';
import { runEvents } from './event-run.ts';

const slot = 'publish:accepted';
const pass = (name: string) =>
  defineStage({ name, slot, map: (event) => ({ ...event, data: event.data + name }) });
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

describe('a stage that fails ten times in a row', () => {
  function tripping() {
    const asked: string[] = [];
    const state = { broken: true };
    const stage = defineStage({
      name: 'spec',
      slot,
      map: (event) => {
        asked.push(event.data);
        if (state.broken) throw new Error('broken');
        return event;
      },
    });
    return { asked, state, ...runEvents([stage]) };
  }

  test('is tripped by the tenth failure, once', () => {
    const { send, log } = tripping();
    send(...numbers(9));
    const before = log.all('stage.tripped').length;
    send('9', '10', '11');
    expect([before, log.all('stage.tripped')]).toEqual([0, [{ stage: 'spec' }]]);
  });

  test('is not asked again for thirty seconds', () => {
    const { send, asked, clock } = tripping();
    send(...numbers(10));
    clock.advance(29_999);
    send('x');
    expect(asked).not.toContain('x');
  });

  test('is asked again after thirty seconds', () => {
    const { send, asked, clock } = tripping();
    send(...numbers(10));
    clock.advance(30_000);
    send('x');
    expect(asked).toContain('x');
  });

  test('is in use again once it has succeeded', () => {
    const { send, out, log, clock, state } = tripping();
    send(...numbers(10));
    clock.advance(30_000);
    state.broken = false;
    send('x', 'y');
    expect([out, log.all('stage.recovered')]).toEqual([['x', 'y'], [{ stage: 'spec' }]]);
  });

  test('tells the senders of the items it is not asked about', () => {
    const { send, refused } = tripping();
    send(...numbers(10), 'x');
    expect(refused.at(-1)).toEqual(['x', 'stage.failed']);
  });

  test('does not fill the log with the items it is not asked about', () => {
    const { send, log } = tripping();
    send(...numbers(10), 'x', 'y', 'z');
    expect(log.all('stage.failed').length).toBe(10);
  });

  test('and succeeds in between is not tripped', () => {
    const { send, asked } = (() => {
      const asked: string[] = [];
      const stage = failing((data) => {
        asked.push(data);
        return data !== '5';
      });
      return { asked, ...runEvents([stage]) };
    })();
    send(...numbers(15));
    expect(asked).toEqual(numbers(15));
  });

  test('because of what senders sent is not tripped', () => {
    const refuse = defineStage({
      name: 'refuse',
      slot,
      map: () => {
        throw new SpillwayError('http.malformed-json');
      },
    });
    const { send, log } = runEvents([refuse]);
    send(...numbers(20));
    expect(log.all('stage.tripped')).toEqual([]);
  });
});

describe('what a stage did', () => {
  test('is counted: received, passed, dropped, failed', () => {
    const mixed = defineStage({
      name: 'mixed',
      slot,
      map: (event) => {
        if (event.data === 'fail') throw new Error('broken');
        return event.data === 'drop' ? DROP : event;
      },
    });
    const { send, stats } = runEvents([mixed]);
    send('a', 'drop', 'fail', 'b', 'drop');
    const { received, passed, dropped, failed } = stats('mixed');
    expect({ received, passed, dropped, failed }).toEqual({ received: 5, passed: 2, dropped: 2, failed: 1 });
  });

  test('is timed for one item in sixty-four', () => {
    const { send, stats } = runEvents([pass('x')]);
    send(...numbers(64));
    const first = stats('x').samples;
    send('64');
    expect([first, stats('x').samples]).toEqual([1, 2]);
  });

  test('is timed with the sum and the longest', () => {
    const ticks = [10, 17];
    const now = jest.spyOn(performance, 'now').mockImplementation(() => ticks.shift() ?? 0);
    const { send, stats } = runEvents([pass('x')]);
    send('a');
    now.mockRestore();
    const { sampledMs, longestMs } = stats('x');
    expect({ sampledMs, longestMs }).toEqual({ sampledMs: 7, longestMs: 7 });
  });

  test('is counted under its own names, at most twenty of them', () => {
    const counting = defineStage({
      name: 'counting',
      slot,
      tap: ({ data }, { metrics }) => {
        metrics.count(data);
        metrics.count('all', 2);
      },
    });
    const { send, stats } = runEvents([counting]);
    send(...numbers(30));
    expect([stats('counting').custom.size, stats('counting').custom.get('all')]).toEqual([20, 60]);
  });
});
