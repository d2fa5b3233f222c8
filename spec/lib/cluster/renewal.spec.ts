import { expect, test } from '@jest/globals';
import { readRenewal } from '../../../lib/cluster/renewal.ts';

test('a renewal is read list by list, whether numbers come as such or as texts', () => {
  const rest = [
    ...[1_700_000_000_000, 's1', '3', 41, '1700000000500', 'n1.1', 0],
    ...[2, 'n1.1', 'n2.4', 1, 'n3.1', 2, 'app', '12', '7', 5],
  ];
  expect(readRenewal(rest)).toEqual({
    nowMs: 1_700_000_000_000,
    storeId: 's1',
    generation: 3,
    writes: 41,
    nextDeadlineMs: 1_700_000_000_500,
    owner: 'n1.1',
    nextExpiryMs: 0,
    live: ['n1.1', 'n2.4'],
    fenced: ['n3.1'],
    heads: new Map([
      ['app', 12],
      ['7', 5],
    ]),
  });
});
