import { describe, expect, jest, test } from '@jest/globals';
import { Announcer } from '../../../lib/channels/announcer.ts';
import type { Connection } from '../../../lib/channels/connection.ts';
import { deliver, type DeliveryParts, eventText } from '../../../lib/channels/delivery.ts';
import { UserConnections } from '../../../lib/channels/user-connections.ts';
import { Watchlists } from '../../../lib/channels/watchlists.ts';
import type { EventMessage } from '../../../lib/bus/bus.ts';
import { memberRemoved, watchlistEvents } from '../../../lib/protocol/server-messages.ts';
import { createApp, nameOf, SpecNode } from './node.ts';

const event = (channel: string, name: string): EventMessage => ({
  kind: 'event',
  appId: 'app-1',
  channel,
  event: name,
  data: '"x"',
});

function open({ coalesces = true } = {}) {
  const node = new SpecNode();
  const ended: Connection[] = [];
  const parts: DeliveryParts = {
    registry: node.registry,
    connections: { find: (socketId) => node.connections.find((one) => one.socketId === socketId) },
    fanout: node.fanout,
    announcer: new Announcer(node.registry, node.fanout, { windowMs: 50 }),
    signedIn: new UserConnections(),
    watchlists: new Watchlists(node.fanout),
    terminate: (connection) => ended.push(connection),
    coalesces,
  };
  return { node, parts, ended };
}

describe('an event from the bus', () => {
  test('is sent to each subscriber at once, behind what waits for it, when nothing is to be coalesced', () => {
    const { node, parts } = open({ coalesces: false });
    const [one, two] = [node.connect(), node.connect()];
    for (const { connection } of [one, two]) node.join(connection, 'room');
    node.fanout.publish(node.channel('room'), 'before');
    deliver(parts, { ...event('room', 'hi'), exceptSocketId: one.connection.socketId });
    deliver(parts, event('room', 'ho'));
    expect(one.transport.frames).toEqual(['before', eventText(event('room', 'ho'))]);
    expect(two.transport.frames).toEqual([
      'before',
      eventText(event('room', 'hi')),
      eventText(event('room', 'ho')),
    ]);
    expect(node.fanout.writes).toBe(5);
  });

  test('goes to the subscribers of its channel', () => {
    const { node, parts } = open();
    const { connection, transport } = node.connect();
    node.join(connection, 'room');
    deliver(parts, event('room', 'hi'));
    node.flush();
    expect(transport.frames).toEqual([eventText(event('room', 'hi'))]);
  });

  test('does not go to the channel of that name in another app', () => {
    const { node, parts } = open();
    const { connection, transport } = node.connect(createApp('app-2'));
    node.join(connection, 'room');
    deliver(parts, event('room', 'hi'));
    node.flush();
    expect(transport.frames).toEqual([]);
  });

  test('for a channel nobody here has anything to do with costs nothing', () => {
    const { node, parts } = open();
    deliver(parts, event('room', 'hi'));
    expect([node.registry.size, node.fanout.encoded]).toEqual([0, 0]);
  });

  test('is held for the joiners of a cache channel', () => {
    const { node, parts } = open();
    const joining = node.subscriptions.begin(node.connect().connection, nameOf('cache-room'), undefined);
    deliver(parts, event('cache-room', 'hi'));
    expect(joining.heldEvents).toEqual([event('cache-room', 'hi')]);
  });

  test('is not held for the joiners of any other channel', () => {
    const { node, parts } = open();
    const joining = node.subscriptions.begin(node.connect().connection, nameOf('room'), undefined);
    deliver(parts, event('room', 'hi'));
    expect(joining.heldEvents).toEqual([]);
  });

  test('is held up to a cap; beyond it the oldest give way', () => {
    const { node, parts } = open();
    const joining = node.subscriptions.begin(node.connect().connection, nameOf('cache-room'), undefined);
    for (let i = 0; i < 100; i++) deliver(parts, event('cache-room', `${i}`));
    expect(joining.heldEvents.map((held) => held.event)).toEqual(
      Array.from({ length: 64 }, (_, i) => `${i + 36}`),
    );
  });
});

test('a change of membership from the bus is told to the subscribers', () => {
  jest.useFakeTimers();
  const { node, parts } = open();
  const { connection, transport } = node.connect();
  node.join(connection, 'presence-x');
  const change = { version: 1, removed: ['ada'], added: [] };
  deliver(parts, { kind: 'membership', appId: 'app-1', channel: 'presence-x', ...change });
  jest.advanceTimersByTime(0);
  node.flush();
  jest.useRealTimers();
  expect(transport.frames).toEqual([memberRemoved('presence-x', 'ada')]);
});

test('a sign-in from the bus is told to those who watch', () => {
  const { node, parts } = open();
  const { connection, transport } = node.connect();
  parts.watchlists.watch(connection, ['ada']);
  parts.watchlists.show(connection, []);
  deliver(parts, { kind: 'user', appId: 'app-1', userId: 'ada', online: true, version: 1 });
  expect(transport.frames).toEqual([watchlistEvents([{ name: 'online', userIds: ['ada'] }])]);
});

test('a termination from the bus ends every connection of the user, also when each leaves the set at once', () => {
  const { node, parts, ended } = open();
  const connections = [node.connect().connection, node.connect().connection];
  for (const connection of connections) parts.signedIn.add('ada', connection);
  const leaving = {
    ...parts,
    terminate: (connection: Connection) => {
      parts.signedIn.remove('ada', connection);
      parts.terminate(connection);
    },
  };
  deliver(leaving, { kind: 'terminate', appId: 'app-1', userId: 'ada' });
  expect(ended).toEqual(connections);
});
