import { describe, expect, jest, test } from '@jest/globals';
import { loadConfig } from '../../config/load.ts';
import { systemClock } from '../../lib/flow/clock.ts';
import { createSharedStores } from '../../lib/shared-stores.ts';
import { Telemetry } from '../../lib/telemetry/telemetry.ts';
import { FakeLink } from './fake-link.ts';

function open() {
  const { config } = loadConfig({ env: {} });
  const link = new FakeLink(config.cluster.partitions);
  const tools = { clock: systemClock, telemetry: new Telemetry(), nodeId: 'aaaaaaaaaaaa' };
  const stores = createSharedStores(link, config, () => undefined, tools);
  let repairs = 0;
  void stores.gaps$?.forEach(() => repairs++);
  return { link, stores, repairs: () => repairs };
}

describe('what follows from messages of other nodes is asked again', () => {
  test('after a gap', () => {
    const { link, repairs } = open();
    link.gaps$.next();
    expect(repairs()).toBe(1);
  });

  test('after a gap once the store is back, and once only', () => {
    const { link, repairs } = open();
    link.up$.next(false);
    link.gaps$.next();
    link.gaps$.next();
    expect(repairs()).toBe(0);
    link.up$.next(true);
    expect(repairs()).toBe(1);
  });

  test('when the store was away although nothing was missed: until it was back, this node answered alone', () => {
    const { link, repairs } = open();
    link.up$.next(false);
    link.up$.next(true);
    expect(repairs()).toBe(1);
  });
});

test('an open that fails behind the link closes it: nothing keeps the process alive', async () => {
  const { link, stores } = open();
  const closed = jest.spyOn(link, 'close');
  jest.spyOn(link, 'listen').mockResolvedValue();
  link.answer = () => ['PARTITIONS', 8];
  await expect(stores.open()).rejects.toThrow(/partitions/);
  expect(closed).toHaveBeenCalledTimes(1);
});
