import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { BusMessage, EventMessage } from '../../../../lib/bus/bus.ts';
import { RedisBus } from '../../../../lib/bus/redis/redis-bus.ts';
import { systemClock } from '../../../../lib/flow/clock.ts';
import { partitionOf } from '../../../../lib/cluster/partition.ts';
import { FakeLink } from '../../fake-link.ts';
import { settled } from '../../flow/promises.ts';

const app = 'app-1';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function open(nodeId = 'aaaaaaaaaaaa') {
  const link = new FakeLink();
  const delivered: BusMessage[] = [];
  const log: string[] = [];
  const malformed: string[] = [];
  const failures: unknown[] = [];
  const bus = new RedisBus({
    link,
    clock: systemClock,
    nodeId,
    views: {
      setInterest: (appId, channel, interested) => log.push(`interest ${appId} ${channel} ${interested}`),
      listening: (appId, channel) => log.push(`listening ${appId} ${channel}`),
      heard: (appId, channel, text) => {
        if (text === 'worse') throw new Error('views');
        return log.push(`heard ${appId} ${channel} ${text}`) > 0 && text !== 'bad';
      },
    },
    deliverHere: (message) => {
      delivered.push(message);
      if (message.kind === 'event' && message.event === 'bad') throw new Error('delivery');
    },
    onMalformed: (topic) => malformed.push(topic),
    onFailed: (error) => failures.push(error),
  });
  const wanted = async (channel: string): Promise<void> => {
    bus.setInterest(app, channel, true);
    jest.runOnlyPendingTimers();
    link.listens.at(-1)!.confirm();
    await settled();
    log.length = 0;
  };
  const say = (name: string, message: string): void => link.messages$.next({ partition: 0, name, message });
  return { link, bus, delivered, log, malformed, failures, wanted, say };
}

const event = (own: Partial<EventMessage> = {}): EventMessage => ({
  ...{ kind: 'event', appId: app, channel: 'room', event: 'e', data: '{"a":1}' },
  ...own,
});

/** Two nodes on one link: what one says the other hears. */
function openTwo() {
  const [one, two] = [open('aaaaaaaaaaaa'), open('bbbbbbbbbbbb')];
  const carry = (): void => {
    for (const { topic, message } of one.link.published.splice(0)) {
      for (const { link } of [one, two]) link.messages$.next({ ...topic, message });
    }
  };
  return { one, two, carry };
}

describe('a message', () => {
  test('is delivered here before publish returns, and said on the topic of its channel', () => {
    const { link, bus, delivered } = open();
    bus.publish(event());
    expect(delivered).toEqual([event()]);
    const partition = partitionOf(app, 'room', 4);
    expect(link.published).toMatchObject([{ topic: { partition, name: 'c:app-1:room' } }]);
    expect(link.published[0]!.message.startsWith('eaaaaaaaaaaaa')).toBe(true);
  });

  test.each<EventMessage>([
    event(),
    event({ data: '' }),
    event({ data: 'ü"\\\n{}~' }),
    event({ userId: 'ada' }),
    event({ exceptSocketId: '1.2' }),
    event({ fromClient: true, userId: 'a:b', exceptSocketId: '1.2' }),
    event({ channel: '#server-to-user-ada' }),
  ])('arrives at another node as it was: %j', async (message) => {
    const { one, two, carry } = openTwo();
    await two.wanted(message.channel);
    one.bus.publish(message);
    carry();
    expect(two.delivered).toEqual([message]);
  });

  test('whatever is in it, arrives as it was', async () => {
    const { one, two, carry } = openTwo();
    await two.wanted('room');
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, fc.option(text, { nil: undefined }), (name, data, userId) => {
        const message = event({ event: name, data, ...(userId === undefined ? {} : { userId }) });
        two.delivered.length = 0;
        one.bus.publish(message);
        carry();
        expect(two.delivered).toEqual([message]);
      }),
    );
  });

  test('of this node is not delivered again when it comes back', async () => {
    const { one, carry } = openTwo();
    await one.wanted('room');
    for (let i = 0; i < 200; i++) one.bus.publish(event({ data: String(i) }));
    carry();
    expect([one.delivered.length, one.bus.received, one.malformed]).toEqual([200, 0, []]);
  });

  test('arrives in the order of its calls', async () => {
    const { one, two, carry } = openTwo();
    await two.wanted('room');
    for (let i = 0; i < 100; i++) one.bus.publish(event({ data: String(i) }));
    carry();
    expect(two.delivered.map((message) => (message as EventMessage).data)).toEqual(
      Array.from({ length: 100 }, (_, i) => String(i)),
    );
  });

  test('that ends connections reaches every node, on the topic of all', () => {
    const { one, two, carry } = openTwo();
    const message: BusMessage = { kind: 'terminate', appId: app, userId: 'a:{b' };
    one.bus.publish(message);
    expect(one.link.published[0]!.topic).toEqual({ partition: partitionOf(app, 'a:{b', 4), name: 'sys' });
    carry();
    expect([one.delivered, two.delivered]).toEqual([[message], [message]]);
  });

  test('of a script on a user is delivered', () => {
    const { bus, delivered, say } = open();
    say('sys', 'u{"a":"app-1","u":"ada","o":1,"v":7}');
    say('sys', 'u{"a":"app-1","u":"ada","o":0,"v":8}');
    expect(delivered).toEqual([
      { kind: 'user', appId: app, userId: 'ada', online: true, version: 7 },
      { kind: 'user', appId: app, userId: 'ada', online: false, version: 8 },
    ]);
    expect(bus.received).toBe(2);
  });

  test('of a script on a channel goes to the views', () => {
    const { log, say } = open();
    say('c:app-1:presence-x', 'm{"v":1}');
    expect(log).toEqual(['heard app-1 presence-x {"v":1}']);
  });

  test.each<BusMessage>([
    { kind: 'user', appId: app, userId: 'ada', online: true, version: 1 },
    { kind: 'membership', appId: app, channel: 'x', version: 1, removed: [], added: [] },
  ])('that scripts publish goes no further than this node: %j', (message) => {
    const { link, bus, delivered } = open();
    bus.publish(message);
    expect([delivered, link.published]).toEqual([[message], []]);
  });

  test('stays here while the store is away, and is counted', () => {
    const { link, bus, delivered } = open();
    link.up$.next(false);
    bus.publish(event());
    expect([delivered.length, bus.dropped, bus.sent]).toEqual([1, 1, 0]);
  });

  test('that cannot be delivered here is said to the others all the same', () => {
    const { link, bus, failures } = open();
    bus.publish(event({ event: 'bad' }));
    expect([failures.length, link.published.length]).toEqual([1, 1]);
  });

  test('that something fails on does not keep the next from being heard', () => {
    const { failures, log, say } = open();
    say('c:app-1:presence-x', 'mworse');
    say('c:app-1:presence-x', 'm{"v":1}');
    expect([failures.length, log]).toEqual([1, ['heard app-1 presence-x {"v":1}']]);
  });

  test.each([
    ['c:app-1:room', ''],
    ['c:app-1:room', 'x'],
    ['c:app-1:room', 'ebbbbbbbbbbbb'],
    ['c:app-1:room', 'ebbbbbbbbbbbb{'],
    ['c:app-1:room', 'ebbbbbbbbbbbb{"e":1,"d":""}'],
    ['c:app-1:room', 'ebbbbbbbbbbbb{"e":"","d":"","u":1}'],
    ['c:app-1:room', 'mbad'],
    ['sys', 'tbbbbbbbbbbbb{"a":1}'],
    ['sys', 'u{"a":"app-1","u":"ada","o":2,"v":7}'],
    ['sys', 'uu'],
    ['sys', 'x'],
  ])('on %s that cannot be understood is counted and told: %s', async (topic, message) => {
    const { bus, delivered, malformed, wanted, say } = open();
    await wanted('room');
    say(topic, message);
    expect([bus.malformed, malformed, delivered]).toEqual([1, [topic], []]);
  });

  test.each([
    ['sys', 'o'],
    ['sys', 'qapp-1'],
    ['wake', 'app-1 7'],
  ])('on %s that is for others is left to them: %s', (topic, message) => {
    const { bus, delivered, say } = open();
    say(topic, message);
    expect([bus.malformed, delivered]).toEqual([0, []]);
  });

  test('measures its way back, one of 64', async () => {
    const { one, carry } = openTwo();
    await one.wanted('room');
    for (let i = 0; i < 64; i++) one.bus.publish(event());
    jest.advanceTimersByTime(7);
    expect(one.link.published.filter(({ message }) => message.includes('~')).length).toBe(1);
    carry();
    expect(Math.round(one.bus.lagMs)).toBe(7);
  });
});

describe('the topics of the bus', () => {
  test('are those of every partition from the start', async () => {
    const { link, bus } = open();
    const opened = bus.open();
    expect(link.listens.map(({ topics }) => topics)).toEqual([['sys', 'sys', 'sys', 'sys']]);
    link.listens[0]!.confirm();
    await opened;
  });

  test('of channels are gathered to the end of the tick', async () => {
    const { link, bus, log } = open();
    for (const channel of ['a', 'b', 'c']) bus.setInterest(app, channel, true);
    expect(link.listens.length).toBe(0);
    jest.runOnlyPendingTimers();
    expect(link.listens.map(({ topics }) => topics)).toEqual([['c:app-1:a', 'c:app-1:b', 'c:app-1:c']]);
    link.listens[0]!.confirm();
    await settled();
    expect(log.slice(3)).toEqual(['listening app-1 a', 'listening app-1 b', 'listening app-1 c']);
  });

  test('are asked for once at a time', async () => {
    const { link, bus } = open();
    bus.setInterest(app, 'a', true);
    jest.runOnlyPendingTimers();
    bus.setInterest(app, 'b', true);
    jest.runOnlyPendingTimers();
    expect(link.listens.length).toBe(1);
    link.listens[0]!.confirm();
    await settled();
    jest.runOnlyPendingTimers();
    expect(link.listens.map(({ topics }) => topics)).toEqual([['c:app-1:a'], ['c:app-1:b']]);
  });

  test('of a channel that is left before the end of the tick are not asked for', () => {
    const { link, bus } = open();
    bus.setInterest(app, 'a', true);
    bus.setInterest(app, 'a', false);
    jest.runOnlyPendingTimers();
    expect([link.listens, bus.channels.size]).toEqual([[], 0]);
  });

  test('linger for five seconds after the last subscriber', async () => {
    const { link, bus, wanted } = open();
    await wanted('a');
    bus.setInterest(app, 'a', false);
    jest.advanceTimersByTime(4_999);
    expect([link.unlistened, bus.channels.lingering]).toEqual([[], 1]);
    jest.advanceTimersByTime(300);
    expect([link.unlistened, bus.channels.size]).toEqual([[['c:app-1:a']], 0]);
  });

  test('that linger are taken up again without a question', async () => {
    const { link, bus, log, wanted } = open();
    await wanted('a');
    bus.setInterest(app, 'a', false);
    jest.advanceTimersByTime(4_000);
    bus.setInterest(app, 'a', true);
    jest.advanceTimersByTime(60_000);
    expect([link.listens.length, link.unlistened]).toEqual([1, []]);
    expect(log).toEqual(['interest app-1 a false', 'interest app-1 a true', 'listening app-1 a']);
  });

  test('that linger bring no events', async () => {
    const { bus, delivered, malformed, wanted, say } = open();
    await wanted('room');
    bus.setInterest(app, 'room', false);
    say('c:app-1:room', 'ebbbbbbbbbbbb{"e":"e","d":""}');
    expect([delivered, malformed]).toEqual([[], []]);
  });

  test('linger for no more than ten thousand channels: the oldest goes first', async () => {
    const { link, bus } = open();
    const channels = Array.from({ length: 10_002 }, (_, i) => `c${i}`);
    for (const channel of channels) bus.setInterest(app, channel, true);
    jest.runOnlyPendingTimers();
    link.listens[0]!.confirm();
    await settled();
    for (const channel of channels) bus.setInterest(app, channel, false);
    expect(link.unlistened).toEqual([['c:app-1:c0'], ['c:app-1:c1']]);
    expect(bus.channels.lingering).toBe(10_000);
  });

  test('that could not be asked for are asked for again when the store is back', async () => {
    const { link, bus, failures, log } = open();
    bus.setInterest(app, 'a', true);
    bus.setInterest(app, 'b', true);
    jest.runOnlyPendingTimers();
    bus.setInterest(app, 'b', false);
    link.listens[0]!.fail(new Error('closing'));
    await settled();
    expect([failures.length, bus.channels.size, bus.channels.fresh]).toEqual([1, 1, 1]);
    link.up$.next(true);
    jest.runOnlyPendingTimers();
    link.listens[1]!.confirm();
    await settled();
    expect(log.at(-1)).toBe('listening app-1 a');
  });

  test('of a channel that was let go before it was confirmed bring nothing to life', async () => {
    const { link, bus, log } = open();
    bus.setInterest(app, 'a', true);
    jest.advanceTimersByTime(1);
    bus.setInterest(app, 'a', false);
    jest.advanceTimersByTime(6_000);
    link.listens[0]!.confirm();
    await settled();
    expect([link.unlistened, log.includes('listening app-1 a')]).toEqual([[['c:app-1:a']], false]);
  });

  test('are let go no more after the end', async () => {
    const { link, bus, wanted } = open();
    await wanted('a');
    bus.setInterest(app, 'a', false);
    bus.close();
    jest.advanceTimersByTime(10_000);
    expect(link.unlistened).toEqual([]);
  });
});

describe('whoever waits until a channel is heard', () => {
  test('waits for the confirmation, behind the view', async () => {
    const { link, bus, log } = open();
    bus.setInterest(app, 'a', true);
    const heard = Promise.resolve(bus.listening(app, 'a')).then(() => log.push('heard'));
    jest.runOnlyPendingTimers();
    await settled();
    expect(log).toEqual(['interest app-1 a true']);
    link.listens[0]!.confirm();
    await heard;
    expect(log).toEqual(['interest app-1 a true', 'listening app-1 a', 'heard']);
    expect(bus.listening(app, 'a')).toBeUndefined();
  });

  test('does not wait while the store is away', () => {
    const { link, bus } = open();
    link.up$.next(false);
    bus.setInterest(app, 'a', true);
    expect(bus.listening(app, 'a')).toBeUndefined();
  });

  test.each([
    ['the store goes away', ({ link }: ReturnType<typeof open>) => link.up$.next(false)],
    ['nobody is interested any more', ({ bus }: ReturnType<typeof open>) => bus.setInterest(app, 'a', false)],
    [
      'the channel cannot be listened to',
      ({ link }: ReturnType<typeof open>) => link.listens[0]!.fail(new Error('closing')),
    ],
  ])('goes on when %s', async (_, happens) => {
    const fixture = open();
    fixture.bus.setInterest(app, 'a', true);
    const heard = fixture.bus.listening(app, 'a');
    jest.runOnlyPendingTimers();
    happens(fixture);
    await expect(heard).resolves.toBeUndefined();
  });
});
