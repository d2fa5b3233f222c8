import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { isLifecycle, type OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { laneOf, memoryOutbox, retainMs } from './memory-outbox.ts';
import { endpoint, inWords } from './open-outbox.ts';

const dataOf = (events: readonly OutboxEvent[]) =>
  events.map((event) => (event.kind === 'client_event' ? event.data.trim() : inWords(event)));

describe('an outbox in memory', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  describe('keeps its cap:', () => {
    const large = (data: string) => data.padEnd(1_000);

    test('what was delivered goes first', () => {
      const { outbox, say, deliver, pending, said, lane } = memoryOutbox({ maxBytesPerApp: 10_000 });
      say(large('1'), large('2'), large('3'));
      deliver(lane);
      say(large('4'), large('5'), large('6'));
      expect(dataOf(pending(lane))).toEqual(['4', '5', '6']);
      expect(outbox.list({ appId: 'app-1', state: 'delivered' }, 10).length).toBeLessThan(3);
      expect([outbox.size.bytes <= 10_000, said]).toEqual([true, []]);
    });

    test('then what waits is folded, and an operator hears of it', () => {
      const { outbox, say, pending, said, lane } = memoryOutbox({ maxBytesPerApp: 10_000 });
      say(...['1', '2', '3', '4', '5', '6', '7'].map(large));
      expect(dataOf(pending(lane)).slice(-2)).toEqual(['6', '7']);
      expect(outbox.size.bytes).toBeLessThanOrEqual(10_000);
      expect(said.reduce((sum, line) => sum + Number(line.replace('hook coalesced ', '')), 0)).toBe(
        7 - pending(lane).length + 1,
      );
    });

    test('a lane that is ahead loses nothing of what it was told', () => {
      const { say, deliver, pending } = memoryOutbox({ maxBytesPerApp: 10_000 }, [
        endpoint('hook'),
        endpoint('slow'),
      ]);
      for (const data of ['1', '2', '3', '4', '5', '6', '7', '8']) {
        say(large(data));
        expect(dataOf(pending(laneOf('hook')))).toEqual([data]);
        deliver(laneOf('hook'));
      }
      expect(pending(laneOf('slow'))[0]).toMatchObject({ kind: 'spillway_coalesced' });
    });

    test('ranges of many channels become one', () => {
      const { outbox, occupy, vacate, pending, lane } = memoryOutbox({ maxBytesPerApp: 3_000 });
      for (let n = 0; n < 100; n++) {
        occupy(`channel-${n}`);
        vacate(`channel-${n}`);
      }
      const told = pending(lane);
      expect(told.at(-1)).toMatchObject({ kind: 'spillway_coalesced', channel: '*' });
      const count = told.reduce((sum, one) => sum + (one.kind === 'spillway_coalesced' ? one.count : 1), 0);
      expect([count, outbox.size.bytes <= 3_000]).toEqual([200, true]);
    });

    test('a lane is read anew when what was read of it was folded', () => {
      const { outbox, occupy, vacate, pending, lane } = memoryOutbox({ maxBytesPerApp: 2_000 });
      occupy('x');
      const { events, token } = outbox.read(lane, 10);
      for (let n = 0; n < 4; n++) {
        occupy('y');
        vacate('y');
      }
      expect(pending(lane).map(inWords)).toContain('left out 6');
      expect(outbox.skip(lane, token, events[0]?.position ?? 0)).toBe(false);
    });

    test('a lane is read anew when another one’s event made it leave something out', () => {
      const { outbox } = memoryOutbox({ maxBytesPerApp: 10_000, partitions: 2 });
      const sayIn = (channel: string): void => {
        const said = { event: 'client-said', data: large('1'), socketId: '1.1' };
        outbox.append([{ kind: 'client_event', appId: 'app-1', channel, ...said }]);
      };
      for (let n = 0; n < 5; n++) sayIn('presence-room');
      const own = laneOf('hook', 0);
      const { events, token } = outbox.read(own, 10);
      sayIn('y');
      expect(outbox.read(own, 10).events.length).toBeLessThan(events.length);
      expect(outbox.skip(own, token, events[0]?.position ?? 0)).toBe(false);
    });

    test('one event makes no long work: a backlog is folded in pieces', () => {
      const { outbox, occupy, say } = memoryOutbox({ maxBytesPerApp: 10_000_000 });
      for (let n = 0; n < 10_000; n++) occupy(`channel-${n}`);
      expect(outbox.size.events).toBe(10_000);
      say('x'.repeat(5_000_000));
      expect(outbox.size.events).toBe(10_001 - 1_024);
    });

    test('dead letters have the same cap, and the oldest expire', () => {
      const { outbox, say, record, said, lane } = memoryOutbox({ maxBytesPerApp: 10_000 });
      say(...['1', '2', '3'].map(large));
      outbox.deadLetter(lane, record(lane), '400');
      say(...['4', '5', '6'].map(large));
      outbox.deadLetter(lane, record(lane), '400');
      expect(said.at(-1)).toMatch(/^hook expired [23]$/);
      const dead = outbox.list({ appId: 'app-1', state: 'dead' }, 10).map(({ event }) => event);
      expect(dataOf(dead).slice(-3)).toEqual(['4', '5', '6']);
    });

    test('a replay lane takes 10,000 events', () => {
      const { outbox, say, deliver, lane } = memoryOutbox({ maxBytesPerApp: 100_000_000 });
      say(...Array.from({ length: 10_100 }, (_, index) => String(index)));
      deliver(lane);
      expect(outbox.replay({ appId: 'app-1' }, 20_000)).toBe(10_000);
    });
  });

  describe('keeps its time:', () => {
    /** Once a minute the outbox looks for what was kept long enough. */
    const sweep = () => jest.advanceTimersByTime(60_000);

    test('what was delivered goes after the retention', () => {
      const { outbox, clock, say, deliver, lane } = memoryOutbox();
      say('1');
      deliver(lane);
      clock.advance(retainMs);
      sweep();
      expect(outbox.size.events).toBe(1);
      clock.advance(1);
      sweep();
      expect(outbox.size.events).toBe(0);
    });

    test('what nobody could be told becomes a dead letter, recorded or not', () => {
      const { outbox, clock, say, record, pending, said, lane } = memoryOutbox();
      say('1', '2');
      record(lane, 1);
      clock.advance(retainMs + 1);
      say('3');
      sweep();
      const dead = outbox.list({ appId: 'app-1', state: 'dead' }, 10).map(({ event }) => event);
      expect([dataOf(dead), dataOf(pending(lane))]).toEqual([['1', '2'], ['3']]);
      expect(said).toEqual([
        'hook buried 1: not delivered within 1 h',
        'hook buried 1: not delivered within 1 h',
      ]);
    });

    test('what was folded becomes a dead letter too', () => {
      const { clock, occupy, pending, said, lane } = memoryOutbox({ maxBytesPerApp: 1 });
      occupy('x', 'y');
      clock.advance(retainMs + 1);
      sweep();
      expect(pending(lane)).toEqual([]);
      expect(said).toEqual(['hook buried 2: not delivered within 1 h', 'hook expired 2']);
    });

    test('much that is too old goes in pieces, all of it', () => {
      const { outbox, clock, say } = memoryOutbox({ maxBytesPerApp: 100_000_000 });
      say(...Array.from({ length: 9_000 }, (_, index) => String(index)));
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.backlogs()[0]?.deadLetters).toBe(1_024);
      jest.advanceTimersByTime(10);
      expect([outbox.backlogs()[0]?.deadLetters, outbox.size.events]).toEqual([9_000, 0]);
    });

    test('an endpoint gets no dead letters of what it did not ask for', () => {
      const { outbox, clock, say } = memoryOutbox({}, [
        endpoint('hook', { takes: (kind) => kind !== 'client_event' }),
      ]);
      say('1');
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.backlogs()[0]).toMatchObject({ events: 0, deadLetters: 0 });
    });

    test('a batch that was given up meanwhile is not acknowledged any more', () => {
      const { outbox, clock, occupy, record, lane } = memoryOutbox();
      occupy('x');
      const id = record(lane);
      clock.advance(retainMs + 1);
      sweep();
      outbox.acknowledge(lane, id);
      occupy('x2');
      expect(outbox.read(lane, 10).sent.size).toBe(0);
      expect(outbox.backlogs()[0]?.deadLetters).toBe(1);
    });

    test('dead letters are kept as long again', () => {
      const { outbox, clock, say, record, said, lane } = memoryOutbox();
      say('1');
      outbox.deadLetter(lane, record(lane), '400');
      clock.advance(retainMs + 1);
      sweep();
      expect([outbox.backlogs()[0]?.deadLetters, said.at(-1)]).toEqual([0, 'hook expired 1']);
    });

    test('the id of an endpoint that is configured no more is forgotten, with what it was not told', () => {
      const { outbox, clock, say, open, said } = memoryOutbox();
      say('1');
      open(endpoint('other'));
      clock.advance(retainMs);
      sweep();
      expect(outbox.backlogs().map(({ endpointId, isOpen }) => [endpointId, isOpen])).toEqual([
        ['hook', false],
        ['other', true],
      ]);
      clock.advance(1);
      sweep();
      expect(outbox.backlogs().map(({ endpointId }) => endpointId)).toEqual(['other']);
      expect(said).toContain('hook expired 1');
      expect(outbox.size.bytes).toBe(outbox.backlogs()[0]?.bytes ?? 0);
    });

    test('a channel that was vacated longer ago begins an epoch', () => {
      const { clock, occupy, vacate, pending, lane } = memoryOutbox();
      occupy('x');
      vacate('x');
      clock.advance(retainMs + 1);
      occupy('x');
      const told = pending(lane).filter(isLifecycle);
      expect(told.map(({ seq }) => seq)).toEqual([1, 2, 1]);
      expect(told[2]?.epoch).not.toBe(told[0]?.epoch);
    });

    test('a channel that is occupied is remembered, however long ago it was vacated', () => {
      const { clock, occupy, vacate, pending, lane } = memoryOutbox();
      occupy('x');
      vacate('x');
      occupy('x');
      clock.advance(retainMs + 1);
      sweep();
      vacate('x');
      expect(pending(lane)).toMatchObject([{ kind: 'channel_vacated', seq: 4 }]);
    });

    test('a lane is read anew when what was read of it became a dead letter', () => {
      const { outbox, clock, say, lane } = memoryOutbox();
      say('1');
      const { events, token } = outbox.read(lane, 10);
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.skip(lane, token, events[0]?.position ?? 0)).toBe(false);
    });

    test('what an endpoint was sent is forgotten with the epoch', () => {
      const { outbox, clock, occupy, vacate, deliver, lane } = memoryOutbox();
      occupy('x');
      vacate('x');
      deliver(lane);
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.size.channels).toBe(0);
      occupy('x');
      expect(outbox.read(lane, 10).sent.size).toBe(0);
    });

    test('a position behind which events are gone is refused', () => {
      const { outbox, clock, occupy, deliver, lane } = memoryOutbox();
      const { position } = outbox.lifecycleSnapshot('app-1');
      occupy('x');
      deliver(lane);
      expect(outbox.lifecycleAfter('app-1', position, 10)).toMatchObject({ events: [{ seq: 1 }] });
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.lifecycleAfter('app-1', position, 10)).toBe('gone');
    });

    test('a position of another outbox is refused', () => {
      const { position } = memoryOutbox().outbox.lifecycleSnapshot('app-1');
      expect(memoryOutbox().outbox.lifecycleAfter('app-1', position, 10)).toBe('gone');
    });
  });

  test('remembers 100,000 vacated channels, and forgets the longest vacated first', () => {
    const { outbox, occupy, vacate } = memoryOutbox({}, []);
    for (let n = 0; n <= 100_000; n++) {
      occupy(`channel-${n}`);
      vacate(`channel-${n}`);
    }
    expect(outbox.size.channels).toBe(100_000);
    occupy('channel-0', 'channel-100000');
    const { channels } = outbox.lifecycleSnapshot('app-1');
    expect(channels.map(({ channel, seq }) => [channel, seq])).toEqual(
      expect.arrayContaining([
        ['channel-0', 1],
        ['channel-100000', 3],
      ]),
    );
  });

  test('has figures for gauges', () => {
    const { outbox, occupy, vacate, say } = memoryOutbox({ graceMs: 1_000 });
    occupy('x', 'y');
    vacate('x');
    say('1');
    expect(outbox.size).toEqual({
      armedDeadlines: 1,
      events: 3,
      bytes: expect.any(Number),
      channels: 2,
    });
    expect([outbox.size.bytes > 0, outbox.undelivered]).toEqual([true, 3]);
  });

  test('tells nothing by itself once it is closed', () => {
    const { outbox, occupy, vacate } = memoryOutbox({ graceMs: 1_000 });
    occupy('x');
    vacate('x');
    outbox.close();
    expect([jest.getTimerCount(), outbox.size.armedDeadlines]).toEqual([0, 0]);
  });
});
