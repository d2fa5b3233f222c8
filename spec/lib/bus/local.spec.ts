import { expect, test } from '@jest/globals';
import type { BusMessage } from '../../../lib/bus/bus.ts';
import { LocalBus } from '../../../lib/bus/local.ts';

const message = (data: string): BusMessage => ({
  kind: 'event',
  appId: 'app-1',
  channel: 'room',
  event: 'e',
  data,
});

test('what is published is delivered before publish returns, in order', () => {
  const delivered: BusMessage[] = [];
  const bus = new LocalBus((one) => delivered.push(one));
  for (const data of ['1', '2']) bus.publish(message(data));
  expect(delivered).toEqual([message('1'), message('2')]);
});

test('an interest is not needed to hear what the own process says', () => {
  const delivered: BusMessage[] = [];
  const bus = new LocalBus((one) => delivered.push(one));
  bus.setInterest();
  bus.publish(message('1'));
  expect(delivered.length).toBe(1);
});
