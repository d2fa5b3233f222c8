import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nodeOf, ownerOf } from '../../../lib/cluster/rendezvous.ts';

const nodeIds = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{12}$/), { minLength: 1, maxLength: 8 });

describe('a partition belongs', () => {
  test('to one of the nodes, in whatever order they are named', () => {
    fc.assert(
      fc.property(nodeIds, fc.nat(63), (nodes, partition) => {
        const owner = ownerOf(partition, nodes);
        expect(nodes).toContain(owner);
        expect(ownerOf(partition, [...nodes].reverse())).toBe(owner);
      }),
    );
  });

  test('to the same node when another goes', () => {
    fc.assert(
      fc.property(nodeIds, fc.nat(63), (nodes, partition) => {
        const owner = ownerOf(partition, nodes);
        for (const gone of nodes.filter((node) => node !== owner)) {
          expect(
            ownerOf(
              partition,
              nodes.filter((node) => node !== gone),
            ),
          ).toBe(owner);
        }
      }),
    );
  });

  test('to nobody when nobody is there', () => {
    expect(ownerOf(0, [])).toBeUndefined();
  });

  test('to each of three nodes about as often', () => {
    const nodes = ['3f1c9a7b2d04', '9e0d55ab1c77', 'c4b8e6120f93'];
    const owners = Array.from({ length: 300 }, (_, partition) => ownerOf(partition, nodes));
    for (const node of nodes) expect(owners.filter((owner) => owner === node).length).toBeGreaterThan(60);
  });
});

test('a holder is a node and an incarnation', () => {
  expect([nodeOf('n7f3.2'), nodeOf('n.7.12'), nodeOf('n')]).toEqual(['n7f3', 'n.7', '']);
});
