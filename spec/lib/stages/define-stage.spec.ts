import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { defineStage, isSlotStage } from '../../../lib/stages/define-stage.ts';

/** A definition as it comes from a file that was not type-checked. */
const define = defineStage as (definition: object) => unknown;
const map = (item: unknown) => item;
const good = { name: 'spec', slot: 'publish:accepted', map };
const queue = { capacity: 1, overflow: 'reject' };

function problemOf(definition: object): string {
  try {
    define(definition);
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'stage.invalid') return error.message;
    throw error;
  }
  return 'none';
}

describe('a stage', () => {
  test('keeps what it was defined with', () => {
    expect(
      defineStage({ name: 'spec', slot: 'publish:accepted', needs: ['apps'], map: (e) => e }),
    ).toMatchObject({
      name: 'spec',
      slot: 'publish:accepted',
      needs: ['apps'],
    });
  });

  test('needs nothing unless it says so', () => {
    expect(defineStage({ name: 'spec', map }).needs).toEqual([]);
  });

  test('cannot be changed any more', () => {
    expect(Object.isFrozen(define(good))).toBe(true);
  });

  test('with a slot is one that stands in a slot', () => {
    expect(isSlotStage(define(good))).toBe(true);
  });

  test.each([
    ['a stage without a slot', define({ name: 'spec', map })],
    ['an object that only looks like a stage', good],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'stage'],
  ])('is not what %s is', (_, value) => {
    expect(isSlotStage(value)).toBe(false);
  });
});

describe('a definition is refused', () => {
  test.each([
    ['without a name', { ...good, name: undefined }, /name must be/],
    ['with an empty name', { ...good, name: '' }, /name must be/],
    ['with a name that is no label', { ...good, name: 'my stage' }, /name must be/],
    ['with a name that is too long', { ...good, name: 'x'.repeat(61) }, /name must be/],
    [
      'with a slot that does not exist',
      { ...good, slot: 'publish:refused' },
      /slot publish:refused does not exist/,
    ],
    ['with the name of a property every object has', { ...good, slot: 'toString' }, /does not exist/],
    ['without a form', { name: 'spec', slot: good.slot }, /exactly one of .*found none/],
    ['with two forms', { ...good, tap: map }, /exactly one of .*found map and tap/],
    [
      'with a form its slot does not allow',
      { ...good, slot: 'connect:admitted' },
      /may be guard or tap, not map/,
    ],
    ['with a batch in a slot', { name: 'spec', slot: good.slot, batchEffect: map }, /not batchEffect/],
    ['with an effect without limits', { name: 'spec', slot: good.slot, effect: map }, /limits are missing/],
    ['with a stream without limits', { name: 'spec', slot: good.slot, stream: map }, /limits are missing/],
    [
      'with an effect without a queue',
      { name: 'spec', slot: good.slot, effect: map, limits: { concurrency: 1, timeoutMs: 1 } },
      /limits\.queue\.capacity/,
    ],
  ])('%s', (_, definition, expected) => {
    expect(problemOf(definition)).toMatch(expected);
  });

  test('with the list of the slots that exist', () => {
    expect(problemOf({ ...good, slot: 'nowhere' })).toContain('connect:admitted, connect:established');
  });

  test('by its name', () => {
    expect(problemOf({ name: 'spec', slot: good.slot })).toMatch(/^Stage spec cannot be used/);
  });
});

describe('a definition is taken', () => {
  test.each([
    ['with limits', { queue, concurrency: 1, timeoutMs: 1 }],
    ['with limits made from the context', () => ({ queue })],
  ])('%s', (_, limits) => {
    expect(problemOf({ name: 'spec', slot: good.slot, effect: map, limits })).toBe('none');
  });

  test('with the longest name', () => {
    expect(problemOf({ ...good, name: 'x'.repeat(60) })).toBe('none');
  });
});
