import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeySet } from '../../../lib/protocol/key-set.ts';

function add(keys: KeySet, key: string): boolean {
  const bytes = Buffer.from(`{"${key}"`);
  return keys.add(bytes, 2, bytes.length - 1);
}

/** What `add` answers for each key of one object. */
function addAll(keys: KeySet, names: readonly string[]): readonly boolean[] {
  keys.clear();
  keys.enter();
  const answers = names.map((name) => add(keys, name));
  keys.leave();
  return answers;
}

describe('KeySet', () => {
  it('takes a key once in each object', () => {
    expect(addAll(new KeySet(4), ['a', 'b', '', 'a', 'ab', ''])).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it('knows the keys of the object around when the inner one has ended', () => {
    const keys = new KeySet(4);
    keys.clear();
    keys.enter();
    expect(add(keys, 'a')).toBe(true);
    keys.enter();
    expect(add(keys, 'a')).toBe(true);
    expect(add(keys, 'b')).toBe(true);
    keys.leave();
    expect(add(keys, 'b')).toBe(true);
    expect(add(keys, 'a')).toBe(false);
  });

  it('forgets the keys of the text before, also one that broke off inside objects', () => {
    const keys = new KeySet(4);
    keys.clear();
    keys.enter();
    keys.enter();
    expect(add(keys, 'a')).toBe(true);
    expect(addAll(keys, ['a', 'a'])).toEqual([true, false]);
  });

  it('has room for a hundred keys, text after text', () => {
    const keys = new KeySet(1);
    const names = Array.from({ length: 100 }, (_, i) => `field${i}`);
    for (let text = 0; text < 50; text++) expect(addAll(keys, names)).not.toContain(false);
  });

  it('has room for the same keys in each of hundreds of objects', () => {
    const keys = new KeySet(2);
    for (let text = 0; text < 10; text++) {
      keys.clear();
      keys.enter();
      for (let object = 0; object < 300; object++) {
        keys.enter();
        expect(['sku', 'count', 'price', 'sku'].map((key) => add(keys, key))).toEqual([
          true,
          true,
          true,
          false,
        ]);
        keys.leave();
      }
      keys.leave();
    }
  });

  it('refuses keys, rather than forget some, when there are too many', () => {
    const answers = addAll(
      new KeySet(1),
      Array.from({ length: 8_000 }, (_, i) => `k${i}`),
    );
    expect(answers.filter((isNew) => isNew).length).toBeLessThanOrEqual(4_096);
    expect(answers).toContain(false);
  });

  it('never takes a key for new that it was given before', () => {
    const keys = new KeySet(1);
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-c]{0,3}$/), { maxLength: 60 }), (names) => {
        const answers = addAll(keys, names);
        return names.every((name, i) => !answers[i] || !names.slice(0, i).includes(name));
      }),
    );
  });
});
