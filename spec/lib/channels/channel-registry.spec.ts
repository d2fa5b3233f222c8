import { describe, expect, test } from '@jest/globals';
import { createApp, nameOf, SpecNode } from './node.ts';

describe('a channel', () => {
  test('is the same one for the same app and name', () => {
    const node = new SpecNode();
    expect(node.channel('room')).toBe(node.channel('room'));
  });

  test('of another app is another one', () => {
    const node = new SpecNode();
    expect(node.channel('room', createApp('app-2'))).not.toBe(node.channel('room'));
  });

  test('that nobody asked for is not found', () => {
    expect(new SpecNode().registry.find('app-1', 'room')).toBeUndefined();
  });

  test('tells the bus when it comes into being and when it goes', () => {
    const node = new SpecNode();
    const channel = node.channel('room');
    node.channel('room');
    node.registry.release(channel);
    expect(node.interest).toEqual(['+room', '-room']);
  });

  test('that is idle is let go of', () => {
    const node = new SpecNode();
    node.registry.release(node.channel('room'));
    expect([node.registry.size, node.registry.find('app-1', 'room')]).toEqual([0, undefined]);
  });

  test.each(['a joiner', 'a subscriber', 'a leave', 'an entry'])('that has %s stays', (what) => {
    const node = new SpecNode();
    const channel = node.channel('room');
    const joining = node.subscriptions.begin(node.connect().connection, nameOf('room'), undefined);
    if (what !== 'a joiner') {
      const subscription = node.subscriptions.activate(joining, 0);
      if (what === 'an entry') node.fanout.publish(channel, 'a');
      if (what !== 'a subscriber') {
        const leave = node.subscriptions.end(subscription);
        if (what === 'an entry') channel.pendingLeaves.heard(leave);
      }
    }
    node.registry.release(channel);
    expect(node.registry.find('app-1', 'room')).toBe(channel);
  });

  test('that was let go of before does not take its successor along', () => {
    const node = new SpecNode();
    const old = node.channel('room');
    node.registry.release(old);
    const successor = node.channel('room');
    node.registry.release(old);
    expect(node.registry.find('app-1', 'room')).toBe(successor);
  });
});
