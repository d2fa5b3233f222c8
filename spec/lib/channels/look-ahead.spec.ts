import { describe, expect, test } from '@jest/globals';
import { LookAhead } from '../../../lib/channels/look-ahead.ts';
import type { Subscription } from '../../../lib/channels/subscription.ts';
import { SpecNode } from './node.ts';

function subscriptionsOf(count: number) {
  const node = new SpecNode();
  const all = Array.from({ length: count }, () => {
    const { connection, transport } = node.connect();
    return { transport, subscription: node.join(connection, 'room') };
  });
  return { node, all, ahead: new LookAhead(node.channel('room').subscriptions.values()) };
}

/** Takes up to `most`, as one slice does. */
function take(ahead: LookAhead, most: number): readonly Subscription[] {
  const taken: Subscription[] = [];
  while (taken.length < most) {
    const next = ahead.next(most - taken.length);
    if (next === undefined) break;
    taken.push(next);
  }
  return taken;
}

describe('looking ahead at subscribers', () => {
  test.each([0, 1, 15, 16, 17, 100])('hands out all %d, each once, in order, and then nobody', (count) => {
    const { all, ahead } = subscriptionsOf(count);
    expect(take(ahead, Number.POSITIVE_INFINITY)).toEqual(all.map(({ subscription }) => subscription));
    expect([ahead.next(1), ahead.next(1)]).toEqual([undefined, undefined]);
  });

  test.each([1, 7, 16, 20, 32])('looks at nobody beyond the %d of a slice', (most) => {
    const { node, all, ahead } = subscriptionsOf(60);
    take(ahead, most);
    for (const { subscription } of all.slice(most, -1)) node.leave(subscription);
    expect(take(ahead, most)).toEqual([all.at(-1)!.subscription]);
  });

  test('knows what waits for those it looked at, but for the closing ones', () => {
    const { all, ahead } = subscriptionsOf(3);
    for (const { transport } of all) transport.queuedBytes = 100;
    all[0]!.subscription.connection.closing = true;
    ahead.next(3);
    expect(ahead.waitingBytes).toBe(200);
  });
});
