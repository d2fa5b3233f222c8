import { describe, expect, test } from '@jest/globals';
import { EventLog } from '../../../../lib/outbox/memory/event-log.ts';
import { bytesOf } from '../../../../lib/outbox/memory/held-bytes.ts';
import { clientEvent } from '../events.ts';

describe('a log of events', () => {
  function open() {
    const held = { bytes: 0 };
    return { held, log: new EventLog(held) };
  }

  test('begins behind 0, which is before every log', () => {
    const { log } = open();
    expect([log.first, log.end]).toEqual([1, 1]);
  });

  test('finds an event at its index until it is dropped', () => {
    const { log } = open();
    log.append(clientEvent('1'));
    log.append(clientEvent('2'));
    log.dropFirst();
    expect([log.first, log.end, log.at(1), log.at(2)]).toMatchObject([2, 3, undefined, { data: '2' }]);
  });

  test('knows the bytes from each index on', () => {
    const { log, held } = open();
    const events = [clientEvent('1'), clientEvent('some text'), clientEvent('2')];
    for (const event of events) log.append(event);
    const [, second, third] = events.map(bytesOf) as [number, number, number];
    log.dropFirst();
    expect([log.bytesFrom(2), log.bytesFrom(3), log.bytesFrom(4)]).toEqual([second + third, third, 0]);
    expect([log.bytes, held.bytes]).toEqual([second + third, second + third]);
  });

  test('keeps indexes and bytes however much was dropped', () => {
    const { log, held } = open();
    for (let n = 1; n <= 5_000; n++) log.append(clientEvent(String(n)));
    for (let n = 1; n <= 4_000; n++) log.dropFirst();
    expect([log.first, log.end, log.at(4_001), log.at(5_000)]).toMatchObject([
      4_001,
      5_001,
      { data: '4001' },
      { data: '5000' },
    ]);
    for (let n = 1; n <= 2_000; n++) log.dropFirst();
    expect([log.first, log.end, log.bytes, held.bytes]).toEqual([5_001, 5_001, 0, 0]);
  });

  test('estimates an event with the text it came with', () => {
    expect(bytesOf(clientEvent('x'.repeat(1_000))) - bytesOf(clientEvent(''))).toBe(2_000);
  });
});
