import { describe, expect, test } from '@jest/globals';
import { defineStage } from '../../../lib/stages/define-stage.ts';
import { settled } from '../flow/promises.ts';
import { runEvents } from './event-run.ts';

const slot = 'publish:accepted';

describe('a stage that answers nothing', () => {
  const answersNothing = {
    map: defineStage({ name: 'spec', slot, map: () => undefined as never }),
    'a promising map': defineStage({ name: 'spec', slot, map: () => Promise.resolve(undefined as never) }),
    split: defineStage({ name: 'spec', slot, split: () => undefined as never }),
    'a split with a hole': defineStage({ name: 'spec', slot, split: (e) => [e, undefined as never] }),
    'a promising split': defineStage({ name: 'spec', slot, split: () => Promise.resolve([]) as never }),
    effect: defineStage({
      name: 'spec',
      slot,
      effect: () => Promise.resolve(undefined as never),
      limits: { concurrency: 1, timeoutMs: 100, queue: { capacity: 1, overflow: 'reject' } },
    }),
  };

  test.each(Object.entries(answersNothing))('as %s is told what to do', async (_, stage) => {
    const { send, errors } = runEvents([stage]);
    send('a');
    await settled();
    expect(errors.map(({ code, details }) => [code, details['stage']])).toEqual([['stage.invalid', 'spec']]);
  });

  test.each(Object.entries(answersNothing))('as %s does not end the stream', async (_, stage) => {
    const { send, refused, complete, completed } = runEvents([stage]);
    send('a', 'b');
    await settled();
    complete();
    await completed;
    expect(refused.map(([data]) => data)).toEqual(['a', 'b']);
  });
});
