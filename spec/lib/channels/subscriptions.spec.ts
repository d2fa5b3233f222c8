import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PendingLeave } from '../../../lib/channels/subscription.ts';
import { nameOf, SpecNode } from './node.ts';

function open() {
  const node = new SpecNode();
  const { connection } = node.connect();
  const begin = (channel = 'room') => node.subscriptions.begin(connection, nameOf(channel), undefined);
  return { node, subscriptions: node.subscriptions, connection, begin };
}

describe('a joiner', () => {
  test('is not subscribed yet', () => {
    const { node, connection, begin } = open();
    begin();
    expect([node.channel('room').subscriptions.size, connection.subscriptions.size]).toEqual([0, 0]);
  });

  test('is known to its connection and to the channel', () => {
    const { node, connection, begin } = open();
    const joining = begin();
    expect([...node.channel('room').joining, ...connection.joining.values()]).toEqual([joining, joining]);
  });

  test('is current until its connection closes', () => {
    const { subscriptions, connection, begin } = open();
    const joining = begin();
    const before = subscriptions.isCurrent(joining);
    subscriptions.endAll(connection);
    expect([before, subscriptions.isCurrent(joining)]).toEqual([true, false]);
  });

  test('that is given up leaves nothing behind', () => {
    const { node, subscriptions, connection, begin } = open();
    subscriptions.abandon(begin());
    expect([connection.joining.size, node.registry.size]).toEqual([0, 0]);
  });

  test('becomes a subscription at the version it was shown', () => {
    const { subscriptions, begin } = open();
    expect(subscriptions.activate(begin(), 7).snapshotVersion).toBe(7);
  });

  test('is a joiner no more once it is subscribed', () => {
    const { node, subscriptions, connection, begin } = open();
    subscriptions.activate(begin(), 0);
    expect([connection.joining.size, node.channel('room').joining.size, subscriptions.size]).toEqual([
      0, 0, 1,
    ]);
  });

  test('gets an incarnation of its own each time', () => {
    const { subscriptions, begin } = open();
    const first = subscriptions.activate(begin(), 0);
    subscriptions.end(first);
    expect(begin().incarnation).toBeGreaterThan(first.incarnation);
  });
});

describe('a leave', () => {
  test('names the incarnation it ends', () => {
    const { subscriptions, begin } = open();
    const subscription = subscriptions.activate(begin(), 0);
    expect(subscriptions.end(subscription).incarnation).toBe(subscription.incarnation);
  });

  test('takes the subscription from its connection and from the channel at once', () => {
    const { node, subscriptions, connection, begin } = open();
    subscriptions.end(subscriptions.activate(begin(), 0));
    expect([
      connection.subscriptions.size,
      node.channel('room').subscriptions.size,
      subscriptions.size,
    ]).toEqual([0, 0, 0]);
  });

  test('keeps its channel until the store has heard of it', () => {
    const { node, subscriptions, begin } = open();
    const leave = subscriptions.end(subscriptions.activate(begin(), 0));
    const before = node.registry.size;
    subscriptions.forgetLeave(leave);
    expect([before, node.registry.size]).toEqual([1, 0]);
  });

  test('is carried to the store by a join that comes after it', () => {
    const { subscriptions, begin } = open();
    const leave = subscriptions.end(subscriptions.activate(begin(), 0));
    expect(subscriptions.takeLeaves(begin())).toEqual([leave]);
  });

  test('is carried to the store once', () => {
    const { subscriptions, begin } = open();
    subscriptions.end(subscriptions.activate(begin(), 0));
    subscriptions.takeLeaves(begin());
    expect(subscriptions.takeLeaves(begin())).toEqual([]);
  });

  test('is carried again when the call that carried it failed', () => {
    const { subscriptions, begin } = open();
    const leave = subscriptions.end(subscriptions.activate(begin(), 0));
    subscriptions.giveBack(subscriptions.takeLeaves(begin()));
    expect(subscriptions.takeLeaves(begin())).toEqual([leave]);
  });

  test('that another call has told meanwhile is not carried again', () => {
    const { subscriptions, begin } = open();
    const leave = subscriptions.end(subscriptions.activate(begin(), 0));
    const carried = subscriptions.takeLeaves(begin());
    subscriptions.forgetLeave(leave);
    subscriptions.giveBack(carried);
    expect(subscriptions.takeLeaves(begin())).toEqual([]);
  });

  test('that its batch carries is carried by no join', () => {
    const { subscriptions, begin } = open();
    subscriptions.carry([subscriptions.end(subscriptions.activate(begin(), 0))]);
    expect(subscriptions.takeLeaves(begin())).toEqual([]);
  });

  test('of another channel is not carried along', () => {
    const { subscriptions, begin } = open();
    subscriptions.end(subscriptions.activate(begin('hall'), 0));
    expect(subscriptions.takeLeaves(begin('room'))).toEqual([]);
  });
});

describe('the end of a connection', () => {
  test('ends what it holds and what it was about to hold', () => {
    const { subscriptions, connection, begin } = open();
    const subscribed = subscriptions.activate(begin('room'), 0);
    const joining = begin('hall');
    const ended = subscriptions.endAll(connection).map(({ incarnation }) => incarnation);
    expect(ended).toEqual([subscribed.incarnation, joining.incarnation]);
  });

  test('leaves the others of the channel subscribed', () => {
    const { node, subscriptions, connection, begin } = open();
    subscriptions.activate(begin(), 0);
    const other = node.join(node.connect().connection, 'room');
    subscriptions.endAll(connection);
    expect([...node.channel('room').subscriptions]).toEqual([other]);
  });
});

const step = fc.record({
  do: fc.constantFrom('begin', 'activate', 'abandon', 'end', 'endAll', 'forget'),
  socket: fc.nat(2),
  channel: fc.constantFrom('x', 'y'),
});

test('whatever happens, the views of connection and channel agree, and nothing stays once all is over', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const node = new SpecNode();
      const { subscriptions, registry } = node;
      const connections = Array.from({ length: 3 }, () => node.connect().connection);
      const leaves: PendingLeave[] = [];
      for (const { do: what, socket, channel } of steps) {
        const connection = connections[socket]!;
        const joining = connection.joining.get(channel);
        const subscription = connection.subscriptions.get(channel);
        if (what === 'begin' && joining === undefined && subscription === undefined)
          subscriptions.begin(connection, nameOf(channel), undefined);
        if (what === 'activate' && joining !== undefined) subscriptions.activate(joining, 0);
        if (what === 'abandon' && joining !== undefined) subscriptions.abandon(joining);
        if (what === 'end' && subscription !== undefined) leaves.push(subscriptions.end(subscription));
        if (what === 'endAll') leaves.push(...subscriptions.endAll(connection));
        if (what === 'forget') for (const leave of leaves.splice(0)) subscriptions.forgetLeave(leave);

        for (const name of ['x', 'y']) {
          const held = registry.find('app-1', name);
          const here = connections.flatMap((one) => [...one.subscriptions.values()]);
          expect(new Set(here.filter((one) => one.channel.name.name === name))).toEqual(
            held?.subscriptions ?? new Set(),
          );
        }
        expect(subscriptions.size).toBe(connections.reduce((sum, one) => sum + one.subscriptions.size, 0));
      }
      for (const connection of connections) leaves.push(...subscriptions.endAll(connection));
      for (const leave of leaves) subscriptions.forgetLeave(leave);
      expect([registry.size, subscriptions.size]).toEqual([0, 0]);
    }),
  );
});
