import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { isLifecycle, type OutboxEvent } from '../../../../lib/outbox/outbox-event.ts';
import { ManualClock } from '../../manual-clock.ts';
import { laneOf, memoryOutbox, now, retainMs } from '../memory-outbox.ts';
import { endpoint, inWords } from '../open-outbox.ts';

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
      expect(now(outbox.list({ appId: 'app-1', state: 'delivered' }, 10)).length).toBeLessThan(3);
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
      expect(told[0]).toMatchObject({ kind: 'spillway_coalesced', channel: '*' });
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

    test('cache misses of ever more channels do not grow beyond it', () => {
      const { outbox } = memoryOutbox({ maxBytesPerApp: 20_000 });
      for (let n = 0; n < 2_000; n++) {
        outbox.append([{ kind: 'cache_miss', appId: 'app-1', channel: `cache-${n}` }]);
      }
      expect(outbox.size.bytes).toBeLessThanOrEqual(20_000);
      const told = outbox.read(laneOf('hook'), 10_000).events.map(({ event }) => event);
      const count = told.reduce((sum, one) => sum + (one.kind === 'spillway_coalesced' ? one.count : 1), 0);
      expect(count).toBe(2_000);
    });

    test('dead letters have the same cap, and the oldest expire', () => {
      const { outbox, say, record, said, lane } = memoryOutbox({ maxBytesPerApp: 10_000 });
      say(...['1', '2', '3'].map(large));
      outbox.deadLetter(lane, record(lane), '400');
      say(...['4', '5', '6'].map(large));
      outbox.deadLetter(lane, record(lane), '400');
      expect(said.at(-1)).toMatch(/^hook expired [23]$/);
      const dead = now(outbox.list({ appId: 'app-1', state: 'dead' }, 10)).map(({ event }) => event);
      expect(dataOf(dead).slice(-3)).toEqual(['4', '5', '6']);
    });

    test('a replay lane takes 10,000 events', () => {
      const { outbox, say, deliver, lane } = memoryOutbox({ maxBytesPerApp: 100_000_000 });
      say(...Array.from({ length: 10_100 }, (_, index) => String(index)));
      deliver(lane);
      expect(now(outbox.replay({ appId: 'app-1' }, 20_000))).toBe(10_000);
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
      const dead = now(outbox.list({ appId: 'app-1', state: 'dead' }, 10)).map(({ event }) => event);
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

    test('much that is too old goes in pieces, all of it', async () => {
      const { outbox, clock, say } = memoryOutbox({
        maxBytesPerApp: 100_000_000,
        onDeadLettered: () => clock.advance(1),
      });
      say(...Array.from({ length: 9_000 }, (_, index) => String(index)));
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.backlogs()[0]?.deadLetters).toBeLessThan(1_000);
      await jest.advanceTimersByTimeAsync(1_000);
      expect([outbox.backlogs()[0]?.deadLetters, outbox.size.events]).toEqual([9_000, 0]);
    });

    test('what is to be sent again becomes a dead letter too, after a retention of its own', () => {
      const { outbox, clock, say, deliver, pending, said } = memoryOutbox();
      const [lane, replay] = [laneOf('hook'), laneOf('hook', 'replay')];
      say('1', '2');
      deliver(lane);
      clock.advance(retainMs);
      expect(now(outbox.replay({ appId: 'app-1' }, 10))).toBe(2);
      const { events, token } = outbox.read(replay, 1);
      const batch = { id: 'msg_again', body: Buffer.from('1'), createdAtMs: clock.now() };
      outbox.record(replay, token, events[0]!.position, { ...batch, events: [events[0]!.event] });
      clock.advance(retainMs);
      sweep();
      expect([outbox.read(replay, 1).batch?.id, said]).toEqual(['msg_again', []]);
      clock.advance(1);
      sweep();
      expect([outbox.read(replay, 1).batch, pending(replay)]).toEqual([undefined, []]);
      expect(said).toEqual([
        'hook buried 1: not delivered within 1 h',
        'hook buried 1: not delivered within 1 h',
      ]);
    });

    test('a snapshot for a new endpoint has all its time, however long ago its channels were occupied', () => {
      const { clock, occupy, open, pending } = memoryOutbox({}, []);
      occupy('x');
      clock.advance(retainMs + 1);
      open(endpoint('hook'));
      sweep();
      expect(pending(laneOf('hook')).map(inWords)).toEqual(['channel_occupied']);
    });

    test('a batch that was taken while the outbox looks for old ones is no dead letter', async () => {
      const { outbox, clock, say, record, lane } = memoryOutbox({ onDeadLettered: () => clock.advance(5) });
      say('1', '2', '3');
      const id = record(lane);
      const { events } = outbox.read(lane, 1).batch!;
      const parts = events.map((event) => ({
        id: `msg_${event.id}`,
        body: Buffer.from('1'),
        events: [event],
        createdAtMs: 1,
      }));
      outbox.split(lane, id, parts);
      clock.advance(retainMs + 1);
      sweep();
      outbox.acknowledge(lane, parts[1]!.id);
      await jest.advanceTimersByTimeAsync(100);
      expect(outbox.backlogs()[0]).toMatchObject({ events: 0, deadLetters: 2 });
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

    test('what an endpoint was sent is forgotten with the epoch, though there always is more to send', () => {
      const { outbox, clock, occupy, vacate, say, deliver, lane } = memoryOutbox();
      occupy('x');
      vacate('x');
      deliver(lane);
      clock.advance(retainMs + 1);
      say('1');
      sweep();
      expect(outbox.size.channels).toBe(0);
      deliver(lane);
      occupy('x');
      expect(outbox.read(lane, 10).sent.size).toBe(0);
    });

    test('what an endpoint was sent is known until the last event of the epoch is sent', () => {
      const { outbox, occupy, vacate, deliver, lane } = memoryOutbox({ maxBytesPerApp: 1e9 });
      occupy('x');
      deliver(lane);
      vacate('x');
      for (let n = 0; n < 100_000; n++) {
        occupy(`channel-${n}`);
        vacate(`channel-${n}`);
      }
      expect(outbox.read(lane, 1).sent.get('x')).toMatchObject({ seq: 1 });
    });

    test('a position behind which events are gone is refused', () => {
      const { outbox, clock, occupy, deliver, lane } = memoryOutbox();
      const { position } = now(outbox.lifecycleSnapshot('app-1'));
      occupy('x');
      deliver(lane);
      expect(outbox.lifecycleAfter('app-1', position, 10)).toMatchObject({ events: [{ seq: 1 }] });
      clock.advance(retainMs + 1);
      sweep();
      expect(outbox.lifecycleAfter('app-1', position, 10)).toBe('gone');
    });

    test('a position of another outbox is refused', () => {
      const { position } = now(memoryOutbox().outbox.lifecycleSnapshot('app-1'));
      expect(memoryOutbox().outbox.lifecycleAfter('app-1', position, 10)).toBe('gone');
    });
  });

  test('remembers 100,000 vacated channels, and forgets the longest vacated first', () => {
    const { outbox, occupy, vacate } = memoryOutbox({}, []);
    for (let n = 0; n <= 100_000; n++) {
      occupy(`channel-${n}`);
      vacate(`channel-${n}`);
    }
    expect(outbox.size.channels).toBeLessThanOrEqual(100_000);
    expect(outbox.size.channels).toBeGreaterThan(99_000);
    occupy('channel-0', 'channel-100000');
    const { channels } = now(outbox.lifecycleSnapshot('app-1'));
    expect(channels.map(({ channel, seq }) => [channel, seq])).toEqual(
      expect.arrayContaining([
        ['channel-0', 1],
        ['channel-100000', 3],
      ]),
    );
  });

  test('says nothing of dead letters it was told to make: who gave them up tells of it', () => {
    const { outbox, say, record, said, lane } = memoryOutbox();
    say('1');
    outbox.deadLetter(lane, record(lane), '400');
    expect([outbox.backlogs()[0]?.deadLetters, said]).toEqual([1, []]);
  });

  test('counts as undelivered what endpoints wait for that are configured', () => {
    const { outbox, say, open } = memoryOutbox({}, [endpoint('hook'), endpoint('old')]);
    say('1', '2');
    open(endpoint('hook'));
    expect(outbox.undelivered).toBe(2);
  });

  describe('looks through much in pieces:', () => {
    /** An hour-glass: each look at it takes a millisecond. */
    class BusyClock extends ManualClock {
      isBusy = false;
      override now(): number {
        if (this.isBusy) this.advance(1);
        return super.now();
      }
    }
    function busy() {
      const clock = new BusyClock();
      return { ...memoryOutbox({ clock }), clock };
    }
    const isPending = (answer: unknown): boolean => answer instanceof Promise;

    test('a list and a replay let others work in between', async () => {
      const { outbox, clock, say, deliver, lane } = busy();
      say('1', '2', '3', '4', '5', '6');
      deliver(lane);
      clock.isBusy = true;
      const listed = outbox.list({ appId: 'app-1' }, 10);
      const replayed = outbox.replay({ appId: 'app-1' }, 10);
      expect([isPending(listed), isPending(replayed)]).toEqual([true, true]);
      await jest.advanceTimersByTimeAsync(100);
      expect([(await listed).length, await replayed]).toEqual([6, 6]);
      expect(outbox.read(laneOf('hook', 'replay'), 10).events.length).toBe(6);
    });

    test('a replay leaves out what is recorded for the first time meanwhile', async () => {
      const { outbox, clock, say, deliver, record, lane } = busy();
      say('1', '2', '3', '4', '5', '6');
      deliver(lane);
      say('7', '8');
      clock.isBusy = true;
      const replayed = outbox.replay({ appId: 'app-1' }, 10);
      record(lane);
      await jest.advanceTimersByTimeAsync(100);
      expect(await replayed).toBe(6);
    });

    test('a snapshot is of the moment when it was asked for', async () => {
      const { outbox, clock, occupy, vacate } = busy();
      occupy('a', 'b', 'c', 'd', 'e', 'f');
      outbox.lifecycle.memberAdded('app-1', 'f', 'ada');
      clock.isBusy = true;
      const asked = outbox.lifecycleSnapshot('app-1');
      expect(isPending(asked)).toBe(true);
      occupy('late');
      outbox.lifecycle.memberRemoved('app-1', 'f', 'ada');
      vacate('e', 'f');
      await jest.advanceTimersByTimeAsync(100);
      const { channels, position } = await asked;
      expect(
        channels.map(({ channel, seq, members }) => `${channel} ${seq} ${members.length}`).sort(),
      ).toEqual(['a 1 0', 'b 1 0', 'c 1 0', 'd 1 0', 'e 1 0', 'f 2 1']);
      const page = outbox.lifecycleAfter('app-1', position, 10);
      expect(page).toMatchObject({
        events: [{ channel: 'late' }, { userId: 'ada' }, { channel: 'e' }, { channel: 'f', seq: 4 }],
      });
    });
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
