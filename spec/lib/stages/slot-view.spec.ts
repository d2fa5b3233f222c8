import { describe, expect, test } from '@jest/globals';
import { type SlotView, throughView } from '../../../lib/stages/slot-view.ts';

interface Letter {
  readonly text: string;
  readonly secret: string;
}

/** Stages see the text of a letter and not its secret. */
const textOnly: SlotView<Letter, string> = {
  show: ({ text }) => text,
  putBack: (letter, answer, stage) => {
    if (typeof answer !== 'string') throw new Error(`${stage} answered no text`);
    return { ...letter, text: answer };
  },
};
const letter = { text: 'hello', secret: 'x' };
const shout = (text: unknown): string => String(text).toUpperCase();

describe('a map through a view', () => {
  test('is given the part that is shown', () => {
    const seen: unknown[] = [];
    const { map } = throughView({ map: (item) => seen.push(item) && 'b' }, 'spec', textOnly);
    map?.(letter, {});
    expect(seen).toEqual(['hello']);
  });

  test('is given its context', () => {
    const { map } = throughView({ map: (_, context) => String(context) }, 'spec', textOnly);
    expect(map?.(letter, 'context')).toMatchObject({ text: 'context' });
  });

  test('changes that part, and the rest stays', () => {
    const { map } = throughView({ map: shout }, 'spec', textOnly);
    expect(map?.(letter, {})).toEqual({ text: 'HELLO', secret: 'x' });
  });

  test('may promise its answer', async () => {
    const { map } = throughView({ map: (item) => Promise.resolve(shout(item)) }, 'spec', textOnly);
    await expect(map?.(letter, {})).resolves.toEqual({ text: 'HELLO', secret: 'x' });
  });

  test('is named when its answer does not fit', () => {
    const { map } = throughView({ map: () => Symbol.for('spillway.drop') }, 'spec', textOnly);
    expect(() => map?.(letter, {})).toThrow('spec answered no text');
  });
});

describe('a tap through a view', () => {
  test('is given the part that is shown, and stays a tap', () => {
    const seen: unknown[] = [];
    const { tap, map } = throughView({ tap: (item) => seen.push(item) }, 'spec', textOnly);
    tap?.(letter, {});
    expect([seen, map]).toEqual([['hello'], undefined]);
  });
});
