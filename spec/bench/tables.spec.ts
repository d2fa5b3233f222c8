import { describe, expect, test } from '@jest/globals';
import type { Scenario } from '../../bench/scenario.ts';
import { boundText, verdictOf } from '../../bench/support/report.ts';
import { type Results, ratiosOf, tableOf, targetsOf } from '../../bench/support/tables.ts';

const columns: Scenario['columns'] = [
  { figure: 'cpuUs', title: 'CPU us', over: ['soketi', 'raw'] },
  { figure: 'perSecond', title: 'per second', over: ['soketi'], better: 'more' },
];
/** Soketi could not be measured in the second round; the loop in C took no part. */
const results: Results = {
  small: {
    spillway: [
      { cpuUs: 2, perSecond: 30 },
      { cpuUs: 100, perSecond: 30 },
      { cpuUs: 4, perSecond: 10 },
    ],
    soketi: [{ cpuUs: 4, perSecond: 10 }, null, { cpuUs: 4, perSecond: 10 }],
  },
  large: { spillway: [{ cpuUs: 8, perSecond: undefined }] },
};

describe('the table', () => {
  test('has a column for each peer that took part, and a row for each case and server', () => {
    expect(tableOf({ columns }, results)).toEqual({
      head: ['case', 'server', 'CPU us', 'x soketi', 'per second', 'x soketi'],
      rows: [
        ['small', 'spillway', '4.00 (2.00–100)', '0.75 (0.50–1.00)', '30.0 (10.0–30.0)', '2.00 (1.00–3.00)'],
        ['small', 'soketi', '4.00 (4.00–4.00)', '', '10.0 (10.0–10.0)', ''],
        ['large', 'spillway', '8.00 (8.00–8.00)', '–', '–', '–'],
      ],
    });
  });

  test('takes ratios within a round: a round that a peer has no part in counts for neither', () => {
    expect(ratiosOf({ columns }, results)).toEqual([
      { key: 'small: cpuUs / soketi', ratio: 0.75, better: 'less' },
      { key: 'small: perSecond / soketi', ratio: 2, better: 'more' },
    ]);
  });
});

describe('the targets', () => {
  const goal = { name: 'CPU', figure: 'cpuUs', of: 'spillway' } as const;

  test('are asked of each case that they name, of the figure or of its ratio', () => {
    const targets = targetsOf(
      {
        targets: [
          { ...goal, cases: ['large', 'not run'], most: 9 },
          { ...goal, over: 'soketi', cases: ['small'], most: 0.7, stretch: 0.6 },
        ],
      },
      results,
    );
    expect(targets.map(({ name, spread }) => [name, spread?.median])).toEqual([
      ['CPU, large', 8],
      ['CPU, small', 0.75],
    ]);
    expect(targets.map(verdictOf)).toEqual(['met', 'MISSED']);
    expect(targets.map(boundText)).toEqual(['at most 9', 'at most 0.7 (0.6)']);
  });

  test('of a server that took no part are left out; one that could not be measured is said so', () => {
    const lost: Results = { small: { spillway: [{ cpuUs: 2 }], soketi: [null] } };
    const targets = targetsOf(
      {
        targets: [
          { ...goal, over: 'naive', least: 3 },
          { ...goal, over: 'soketi', most: 1 },
        ],
      },
      lost,
    );
    expect(targets.map(verdictOf)).toEqual(['not measured']);
  });

  test('may ask for more', () => {
    const spread = { median: 3, min: 1, max: 4 };
    expect(verdictOf({ name: '', spread, least: 3 })).toBe('met');
    expect(verdictOf({ name: '', spread, least: 3.1 })).toBe('MISSED');
    expect(boundText({ name: '', spread, least: 3 })).toBe('at least 3');
  });
});
