import { describe, expect, it } from '@jest/globals';
import { editDistance, nearest } from '../../config/did-you-mean.ts';

describe('editDistance', () => {
  it.each([
    ['port', 'port', 0],
    ['prot', 'port', 1],
    ['pot', 'port', 1],
    ['porrt', 'port', 1],
    ['pork', 'port', 1],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
  ])('of %s and %s is %d', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
    expect(editDistance(to, from)).toBe(distance);
  });
});

describe('nearest', () => {
  it('finds a misspelt word, whatever its case', () => {
    expect(nearest('maxconections', ['maxConnections', 'maxPayloadBytes'])).toBe('maxConnections');
  });

  it('prefers the nearest of several', () => {
    expect(nearest('hots', ['ports', 'host'])).toBe('host');
  });

  it('suggests nothing when nothing is near', () => {
    expect(nearest('banana', ['host', 'port'])).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });
});
