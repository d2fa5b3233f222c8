import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { Tally } from '../../../lib/telemetry/tally.ts';

describe('a tally', () => {
  const registry = new Registry();
  const linesOf = async (name: string): Promise<readonly string[]> =>
    (await registry.getSingleMetricAsString(name)).split('\n').filter((line) => !line.startsWith('#'));

  test('reads what was counted, each time it is read', async () => {
    const tally = new Tally(registry, { name: 'plain', help: 'h', labels: [] });
    expect(await linesOf('plain')).toEqual(['plain 0']);
    tally.add({});
    tally.add({ other: 1 }, 4);
    expect(await linesOf('plain')).toEqual(['plain 5']);
    expect(await linesOf('plain')).toEqual(['plain 5']);
    tally.add({});
    expect(await linesOf('plain')).toEqual(['plain 6']);
  });

  test('keeps the values of its labels apart, and knows no others', async () => {
    const tally = new Tally(registry, { name: 'labelled', help: 'h', labels: ['kind', 'code'] });
    tally.add({ kind: 'a', code: 1, channel: 'x' });
    tally.add({ code: '1', kind: 'a' }, 2);
    tally.add({ kind: 'a', code: 2 }, 0);
    tally.add({ kind: '1', code: 'a' });
    expect(await linesOf('labelled')).toEqual([
      'labelled{kind="a",code="1"} 3',
      'labelled{kind="a",code="2"} 0',
      'labelled{kind="1",code="a"} 1',
    ]);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses to count %p', (count) => {
    const tally = new Tally(registry, { name: `refuses${count}`.replace('-', '_'), help: 'h', labels: [] });
    expect(() => tally.add({}, count)).toThrow(RangeError);
  });
});
