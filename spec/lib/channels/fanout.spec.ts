import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { maxPendingBytes, maxPendingEntries, writesPerSlice } from '../../../lib/channels/fanout.ts';
import { encodeTextFrame } from '../../../lib/protocol/websocket-frame.ts';
import { createApp, SpecNode } from './node.ts';

/** A node with so many connections subscribed to `room`. */
function room(subscribers: number) {
  const node = new SpecNode();
  const members = Array.from({ length: subscribers }, () => {
    const { connection, transport } = node.connect();
    return { connection, transport, subscription: node.join(connection, 'room') };
  });
  return { node, channel: node.channel('room'), members };
}

describe('an event', () => {
  test('is encoded once, however many subscribers there are', () => {
    const { node, channel } = room(50);
    node.fanout.publish(channel, 'a');
    node.flush();
    expect([node.fanout.encoded, node.fanout.writes]).toEqual([1, 50]);
  });

  test('of a channel without subscribers is not even encoded', () => {
    const { node, channel } = room(0);
    node.fanout.publish(channel, 'a');
    expect([node.fanout.encoded, node.fanout.depth, node.scheduled]).toEqual([0, 0, 0]);
  });

  test('waits for the next turn of the event loop', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'a');
    expect(members[0]!.transport.writes).toEqual([]);
    node.turn();
    expect(members[0]!.transport.writes).toEqual([['a']]);
  });

  test('is not sent to the connection it excludes', () => {
    const { node, channel, members } = room(2);
    node.fanout.publish(channel, 'a', members[0]!.connection);
    node.flush();
    expect(members.map(({ transport }) => transport.frames)).toEqual([[], ['a']]);
  });

  test('is sent to nobody of another channel', () => {
    const { node, channel } = room(1);
    const other = node.connect();
    node.join(other.connection, 'hall');
    node.fanout.publish(channel, 'a');
    node.flush();
    expect(other.transport.frames).toEqual([]);
  });

  test('is not sent to a connection that is closing', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'a');
    members[0]!.connection.closing = true;
    node.flush();
    expect(members[0]!.transport.frames).toEqual([]);
  });
});

describe('a flush that is overdue', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });
  test.each([
    [1, []],
    [2, [['a']]],
  ])('begins at once for whoever asks, after %d ms: %j', (waitedMs, written) => {
    const { node, channel, members } = room(1);
    const startedMs = 1_000;
    jest.spyOn(performance, 'now').mockReturnValue(startedMs);
    node.fanout.publish(channel, 'a');
    jest.spyOn(performance, 'now').mockReturnValue(startedMs + waitedMs);
    node.fanout.flushOverdue();
    expect(members[0]!.transport.writes).toEqual(written);
  });

  test('begins with the next event that is published', () => {
    const { node, channel, members } = room(1);
    const startedMs = 1_000;
    jest.spyOn(performance, 'now').mockReturnValue(startedMs);
    node.fanout.publish(channel, 'a');
    jest.spyOn(performance, 'now').mockReturnValue(startedMs + 2);
    node.fanout.publish(channel, 'b');
    expect(members[0]!.transport.writes).toEqual([['a', 'b']]);
  });

  test('is no second flush for the turn that comes after it', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'a');
    jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 10);
    node.fanout.flushOverdue();
    node.turn();
    expect([members[0]!.transport.writes, node.scheduled]).toEqual([[['a']], 0]);
  });

  test('is not begun from within a flush', () => {
    const { node, channel, members } = room(2);
    node.fanout.publish(channel, 'a');
    members[0]!.transport.onWrite = () => {
      jest.spyOn(performance, 'now').mockReturnValue(1e9);
      node.fanout.flushOverdue();
    };
    node.turn();
    expect(members.map(({ transport }) => transport.writes)).toEqual([[['a']], [['a']]]);
  });
});

describe('several events in one turn', () => {
  test('are one write for each socket, in the order they were published', () => {
    const { node, channel, members } = room(2);
    for (const text of ['a', 'b', 'c']) node.fanout.publish(channel, text);
    node.flush();
    expect(members.map(({ transport }) => transport.writes)).toEqual([[['a', 'b', 'c']], [['a', 'b', 'c']]]);
  });

  test('of one channel ask for one flush', () => {
    const { node, channel } = room(1);
    node.fanout.publish(channel, 'a');
    node.fanout.publish(channel, 'b');
    expect(node.scheduled).toBe(1);
  });

  test('of several channels are one write for each, the first published first', () => {
    const node = new SpecNode();
    const { connection, transport } = node.connect();
    for (const name of ['x', 'y', 'z']) node.join(connection, name);
    node.fanout.publish(node.channel('z'), 'z1');
    node.fanout.publish(node.channel('x'), 'x1');
    node.fanout.publish(node.channel('z'), 'z2');
    node.flush();
    expect(transport.writes).toEqual([['z1', 'z2'], ['x1']]);
  });

  test('exclude their senders one by one', () => {
    const { node, channel, members } = room(3);
    const [a, b] = members;
    node.fanout.publish(channel, 'from a', a!.connection);
    node.fanout.publish(channel, 'from b', b!.connection);
    node.fanout.publish(channel, 'from outside');
    node.flush();
    expect(members.map(({ transport }) => transport.writes)).toEqual([
      [['from b', 'from outside']],
      [['from a', 'from outside']],
      [['from a', 'from b', 'from outside']],
    ]);
  });

  test('are what the depth says until they are sent', () => {
    const { node, channel } = room(1);
    node.fanout.publish(channel, 'a');
    node.fanout.publish(channel, 'b');
    const pending = node.fanout.depth;
    node.flush();
    expect([pending, node.fanout.depth]).toEqual([2, 0]);
  });
});

describe('a flush', () => {
  test('makes at most so many writes before other work has its turn', () => {
    const { node, channel } = room(2 * writesPerSlice + 1);
    node.fanout.publish(channel, 'a');
    const writesAfter = [0, 1, 2].map(() => {
      node.turn();
      return node.fanout.writes;
    });
    expect(writesAfter).toEqual([writesPerSlice, 2 * writesPerSlice, 2 * writesPerSlice + 1]);
  });

  test('that was interrupted goes on with those it has not visited', () => {
    const { node, channel, members } = room(writesPerSlice + 5);
    node.fanout.publish(channel, 'a');
    node.turn();
    node.turn();
    expect(members.every(({ transport }) => transport.writes.length === 1)).toBe(true);
  });

  test('asks for no turn once everything is sent', () => {
    const { node, channel } = room(1);
    node.fanout.publish(channel, 'a');
    node.turn();
    expect(node.scheduled).toBe(0);
  });

  test('of a large channel does not hold up another app', () => {
    const { node, channel } = room(3 * writesPerSlice);
    const other = createApp('app-2');
    const { connection, transport } = node.connect(other);
    node.join(connection, 'room');
    node.fanout.publish(channel, 'large');
    node.fanout.publish(node.channel('room', other), 'small');
    node.turn();
    node.turn();
    expect(transport.frames).toEqual(['small']);
  });

  test('takes one channel of each app in turn', () => {
    const node = new SpecNode();
    const order: string[] = [];
    for (const id of ['app-1', 'app-2']) {
      const app = createApp(id);
      for (const name of ['x', 'y']) {
        const { connection, transport } = node.connect(app);
        transport.onWrite = ([text]) => order.push(text!);
        node.join(connection, name);
        node.fanout.publish(node.channel(name, app), `${id} ${name}`);
      }
    }
    node.flush();
    expect(order).toEqual(['app-1 x', 'app-2 x', 'app-1 y', 'app-2 y']);
  });

  test('lets go of a channel that nobody is subscribed to any more', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'a');
    node.close(members[0]!.connection);
    const before = node.registry.size;
    node.flush();
    expect([before, node.registry.size]).toEqual([1, 0]);
  });
});

describe('a joiner', () => {
  test('gets nothing that was published before', () => {
    const { node, channel } = room(1);
    node.fanout.publish(channel, 'before');
    const late = node.connect();
    node.join(late.connection, 'room');
    node.fanout.publish(channel, 'after');
    node.flush();
    expect(late.transport.frames).toEqual(['after']);
  });

  test('in the middle of a pass gets nothing of it', () => {
    const { node, channel } = room(writesPerSlice + 1);
    node.fanout.publish(channel, 'before');
    node.turn();
    const late = node.connect();
    node.join(late.connection, 'room');
    node.fanout.publish(channel, 'after');
    node.flush();
    expect(late.transport.frames).toEqual(['after']);
  });

  test('is not shown membership frames up to its snapshot', () => {
    const { node, channel } = room(1);
    const late = node.connect();
    node.join(late.connection, 'room', 7);
    node.fanout.publish(channel, 'version 7', undefined, 7);
    node.fanout.publish(channel, 'version 8', undefined, 8);
    node.flush();
    expect(late.transport.frames).toEqual(['version 8']);
  });
});

describe('a leaver', () => {
  test('in the middle of a pass gets what was published while it was subscribed, once', () => {
    const { node, channel, members } = room(writesPerSlice + 1);
    const last = members.at(-1)!;
    node.fanout.publish(channel, 'a');
    node.turn();
    node.leave(last.subscription);
    node.fanout.publish(channel, 'b');
    node.flush();
    expect(last.transport.frames).toEqual(['a']);
  });

  test('in the middle of a pass leaves nobody else out', () => {
    const { node, channel, members } = room(writesPerSlice + 3);
    node.fanout.publish(channel, 'a');
    node.turn();
    node.leave(members[3]!.subscription);
    node.leave(members[writesPerSlice]!.subscription);
    node.flush();
    expect(members.every(({ transport }) => transport.frames.join() === 'a')).toBe(true);
  });

  test('that joins again in the middle of a pass gets nothing twice', () => {
    const { node, channel, members } = room(writesPerSlice + 1);
    node.fanout.publish(channel, 'a');
    node.turn();
    node.leave(members[0]!.subscription);
    node.join(members[0]!.connection, 'room');
    node.flush();
    expect(members[0]!.transport.frames).toEqual(['a']);
  });
});

describe('a direct reply', () => {
  test('comes behind everything that was published to its socket before', () => {
    const { node, channel, members } = room(1);
    const [{ connection, transport }] = members as [(typeof members)[0]];
    node.fanout.publish(channel, 'a');
    node.fanout.publish(channel, 'b');
    node.fanout.reply(connection, 'reply');
    expect(transport.frames).toEqual(['a', 'b', 'reply']);
  });

  test('flushes nobody else', () => {
    const { node, channel, members } = room(2);
    node.fanout.publish(channel, 'a');
    node.fanout.reply(members[0]!.connection, 'reply');
    expect(members[1]!.transport.frames).toEqual([]);
  });

  test('brings nothing twice', () => {
    const { node, channel, members } = room(2);
    node.fanout.publish(channel, 'a');
    node.fanout.reply(members[0]!.connection, 'reply');
    node.fanout.publish(channel, 'b');
    node.flush();
    expect(members.map(({ transport }) => transport.frames)).toEqual([
      ['a', 'reply', 'b'],
      ['a', 'b'],
    ]);
  });

  test('catches up with several channels, the first published first', () => {
    const node = new SpecNode();
    const { connection, transport } = node.connect();
    for (const name of ['x', 'y', 'z']) node.join(connection, name);
    for (const name of ['y', 'z', 'x']) node.fanout.publish(node.channel(name), name);
    node.fanout.reply(connection, 'reply');
    expect(transport.frames).toEqual(['y', 'z', 'x', 'reply']);
  });

  test('catches up with a channel in the middle of its pass', () => {
    const { node, channel, members } = room(writesPerSlice + 1);
    const last = members.at(-1)!;
    node.fanout.publish(channel, 'a');
    node.turn();
    node.fanout.publish(channel, 'b');
    node.fanout.reply(last.connection, 'reply');
    node.flush();
    expect(last.transport.frames).toEqual(['a', 'b', 'reply']);
  });

  test('is not sent to a connection that is closing', () => {
    const { node, members } = room(1);
    members[0]!.connection.closing = true;
    node.fanout.reply(members[0]!.connection, 'reply');
    expect(members[0]!.transport.frames).toEqual([]);
  });
});

describe('a channel with as many entries as it may have', () => {
  // No flush is overdue, however slow the machine.
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockReturnValue(0);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('is flushed at once by whoever publishes', () => {
    const { node, channel, members } = room(2);
    for (let i = 0; i < maxPendingEntries; i++) node.fanout.publish(channel, `${i}`);
    expect(members.map(({ transport }) => transport.frames.length)).toEqual([
      maxPendingEntries,
      maxPendingEntries,
    ]);
  });

  test('is told as flushed inline', () => {
    const { node, channel } = room(1);
    for (let i = 0; i < maxPendingEntries; i++) node.fanout.publish(channel, `${i}`);
    expect(node.inline).toEqual([['room', maxPendingEntries]]);
  });

  test('is flushed at once also by its bytes', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'x'.repeat(maxPendingBytes));
    expect([members[0]!.transport.frames.length, node.inline]).toEqual([1, [['room', 1]]]);
  });

  test('is not one that has a large announcement pending', () => {
    const { node, channel, members } = room(1);
    node.fanout.publishFrames(channel, { bytes: encodeTextFrame('x'.repeat(maxPendingBytes)), count: 1 }, 1);
    node.fanout.publish(channel, 'event');
    const before = members[0]!.transport.frames.length;
    node.flush();
    node.fanout.publish(channel, 'x'.repeat(maxPendingBytes - 100));
    expect([before, members[0]!.transport.frames.length, node.inline]).toEqual([0, 2, []]);
  });

  test('is one that has the bytes now, not over time', () => {
    const { node, channel } = room(1);
    for (let i = 0; i < 3; i++) {
      node.fanout.publish(channel, 'x'.repeat(maxPendingBytes / 2));
      node.flush();
    }
    expect(node.inline).toEqual([]);
  });

  test('sends what comes after that with the next turn', () => {
    const { node, channel, members } = room(1);
    for (let i = 0; i <= maxPendingEntries; i++) node.fanout.publish(channel, `${i}`);
    node.flush();
    expect(members[0]!.transport.frames.at(-1)).toBe(`${maxPendingEntries}`);
  });

  test('that is in the middle of a pass loses and doubles nothing', () => {
    const { node, channel, members } = room(writesPerSlice + 1);
    node.fanout.publish(channel, '0');
    node.turn();
    for (let i = 1; i < maxPendingEntries; i++) node.fanout.publish(channel, `${i}`);
    node.flush();
    const all = Array.from({ length: maxPendingEntries }, (_, i) => `${i}`);
    expect([members[0]!.transport.frames, members.at(-1)!.transport.frames]).toEqual([all, all]);
  });
});

describe('the frames of an announcement', () => {
  const frames = (count: number) => ({
    bytes: Buffer.concat(Array.from({ length: count }, (_, i) => encodeTextFrame(`${i}`))),
    count,
  });

  test('are one entry and one write for each socket', () => {
    const { node, channel, members } = room(2);
    node.fanout.publishFrames(channel, frames(3), 1);
    const { depth } = node.fanout;
    node.flush();
    expect([depth, members.map(({ transport }) => transport.writes)]).toEqual([
      1,
      [[['0', '1', '2']], [['0', '1', '2']]],
    ]);
  });

  test('are counted as encoded, each once', () => {
    const { node, channel } = room(20);
    node.fanout.publishFrames(channel, frames(3), 1);
    node.flush();
    expect([node.fanout.encoded, node.fanout.writes]).toEqual([3, 20]);
  });

  test('wait for the flush, however large they are', () => {
    const { node, channel, members } = room(1);
    const bytes = encodeTextFrame('x'.repeat(2 * maxPendingBytes));
    node.fanout.publishFrames(channel, { bytes, count: 1 }, 1);
    const before = members[0]!.transport.frames.length;
    node.flush();
    expect([node.inline, before, members[0]!.transport.frames.length]).toEqual([[], 0, 1]);
  });

  test('of a channel without subscribers are not kept', () => {
    const { node, channel } = room(0);
    node.fanout.publishFrames(channel, frames(1), 1);
    expect([node.fanout.depth, node.scheduled]).toEqual([0, 0]);
  });

  test('are not sent to who was shown their version', () => {
    const { node, channel } = room(1);
    const late = node.connect();
    node.join(late.connection, 'room', 7);
    node.fanout.publishFrames(channel, frames(1), 7);
    node.flush();
    expect(late.transport.frames).toEqual([]);
  });
});

test('a reply that was encoded before comes behind what was published', () => {
  const { node, channel, members } = room(1);
  node.fanout.publish(channel, 'a');
  node.fanout.replyEncoded(members[0]!.connection, encodeTextFrame('reply'));
  expect(members[0]!.transport.frames).toEqual(['a', 'reply']);
});

describe('a connection that reads slowly', () => {
  test('is reported when what waits for it is more than it may be', () => {
    const { node, channel, members } = room(1);
    members[0]!.transport.queuedBytes = 1_001;
    node.fanout.publish(channel, 'a');
    node.flush();
    expect(node.slow).toEqual([members[0]!.connection]);
  });

  test('is sent nothing more', () => {
    const { node, channel, members } = room(1);
    members[0]!.transport.queuedBytes = 1_001;
    node.fanout.publish(channel, 'a');
    node.flush();
    expect(members[0]!.transport.frames).toEqual([]);
  });

  test('is not one that gets a single frame larger than what may wait', () => {
    const { node, channel, members } = room(1);
    node.fanout.publish(channel, 'x'.repeat(5_000));
    node.flush();
    expect([node.slow.length, members[0]!.transport.frames.length]).toEqual([0, 1]);
  });

  test('may have exactly as much waiting as is allowed', () => {
    const { node, channel, members } = room(1);
    members[0]!.transport.queuedBytes = 1_000;
    node.fanout.publish(channel, 'a');
    node.flush();
    expect(node.slow).toEqual([]);
  });

  test('and leaves in the middle of a flush takes nobody along', () => {
    const { node, channel, members } = room(3);
    node.onSlow = (connection) => node.close(connection);
    members[1]!.transport.queuedBytes = 1_001;
    node.fanout.publish(channel, 'a');
    node.flush();
    expect(members.map(({ transport }) => transport.frames)).toEqual([['a'], [], ['a']]);
  });

  test('may fill its channel from within the flush: nothing is lost or doubled', () => {
    const { node, channel, members } = room(3);
    node.onSlow = (connection) => {
      node.close(connection);
      for (let i = 0; i < maxPendingEntries; i++) node.fanout.publish(channel, `${i}`);
    };
    members[0]!.transport.queuedBytes = 1_001;
    node.fanout.publish(channel, 'a');
    node.flush();
    const all = ['a', ...Array.from({ length: maxPendingEntries }, (_, i) => `${i}`)];
    expect(members.map(({ transport }) => transport.frames)).toEqual([[], all, all]);
  });
});
