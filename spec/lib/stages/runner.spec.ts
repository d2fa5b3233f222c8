import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { defer, EMPTY, NEVER, type Observable, throwError } from 'rxjs';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import type { PublishedEvent } from '../../../lib/stages/events.ts';
import { errorExit, pipeline } from '../../../lib/stages/pipeline.ts';
import { runPipeline } from '../../../lib/stages/runner.ts';
import { specParts } from '../spec-parts.ts';
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

describe('sync stages', () => {
  const all = [
    pass('_'),
    defineStage({ name: 'filter', slot, filter: ({ data }) => data !== 'no_' }),
    defineStage({ name: 'tap', slot, tap: () => undefined }),
    defineStage({ name: 'split', slot, split: (event) => [event, event] }),
  ];

  test('have done everything before the source goes on', () => {
    const { send, out } = runEvents(all);
    send('a', 'no', 'b');
    expect(out).toEqual(['a_', 'a_', 'b_', 'b_']);
  });

  test('touch no promise', () => {
    const { send } = runEvents(all);
    const then = jest.spyOn(Promise.prototype, 'then');
    send('a', 'b');
    const calls = then.mock.calls.length;
    then.mockRestore();
    expect(calls).toBe(0);
  });

  test('run in the order they were configured', () => {
    const { send, out, stages } = runEvents([pass('z'), pass('a'), pass('m')]);
    send('1');
    expect([stages, out]).toEqual([['z', 'a', 'm', 'collect'], ['1zam']]);
  });

  test('run in their own slot only', () => {
    const elsewhere = defineStage({ name: 'elsewhere', slot: 'connect:established', tap: () => undefined });
    expect(runEvents([elsewhere, pass('here')]).stages).toEqual(['here', 'collect']);
  });

  test('are not there at all in an empty slot', () => {
    expect(runEvents([]).stages).toEqual(['collect']);
  });
});

describe('an error exit that throws', () => {
  const onRefused = () => {
    throw new Error('worse');
  };

  test('does not end the stream', () => {
    const { send, out } = runEvents([failing((data) => data === 'a')], { onRefused });
    send('a', 'b');
    expect(out).toEqual(['b']);
  });

  test('is told in the log', () => {
    const { send, log } = runEvents([failing(() => true)], { onRefused });
    send('a');
    const causes = log.all('stage.failed').map(({ err }) => ((err as Error).cause as Error).message);
    expect(causes).toEqual(['broken', 'worse']);
  });
});

describe('a running pipeline', () => {
  function source(source$: Observable<PublishedEvent>) {
    const { parts, log } = specParts();
    const seen: PublishedEvent[] = [];
    const collect = defineStage({ name: 'collect', tap: (event: PublishedEvent) => seen.push(event) });
    const { signal } = new AbortController();
    const events = pipeline<PublishedEvent, PublishedEvent>('publish')
      .to(collect)
      .refused(errorExit([], () => undefined));
    return { seen, log, running: runPipeline(events, source$, parts, { signal }) };
  }

  test('is up', () => {
    expect(source(NEVER).running.isUp()).toBe(true);
  });

  test('is done when its source is', async () => {
    await expect(source(EMPTY).running.completed).resolves.toBeUndefined();
  });

  describe('that ends with an error no stage accounts for', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });
    afterEach(() => {
      jest.useRealTimers();
    });
    const broken$ = (runs: number) => {
      let run = 0;
      return defer(() => (run++ < runs ? throwError(() => new Error('escaped')) : NEVER));
    };

    test('is down', () => {
      expect(source(broken$(1)).running.isUp()).toBe(false);
    });

    test('is told', () => {
      const { log } = source(broken$(1));
      expect(log.all('stage.restarted')).toEqual([{ stage: 'publish', attempt: 1, lost: 0 }]);
    });

    test('is up again after a pause', () => {
      const { running } = source(broken$(1));
      jest.advanceTimersByTime(100);
      expect(running.isUp()).toBe(true);
    });
  });
});
