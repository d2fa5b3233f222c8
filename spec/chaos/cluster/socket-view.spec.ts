import { describe, expect, test } from '@jest/globals';
import type { Tick } from './socket-view.ts';
import { SocketView } from './socket-view.ts';

const room = 'presence-a';

/** A view, told things in short. */
function viewOf(...told: readonly ((view: SocketView) => void)[]): SocketView {
  const view = new SocketView('ann', 'one');
  for (const one of told) one(view);
  return view;
}

const asks =
  (channel: string) =>
  (view: SocketView): void =>
    view.subscribing(channel);
const leaves =
  (channel: string) =>
  (view: SocketView): void =>
    view.unsubscribing(channel);
const hears =
  (event: string, channel?: string, data: object = {}) =>
  (view: SocketView): void => {
    const message = { event, ...(channel === undefined ? {} : { channel }), data: JSON.stringify(data) };
    view.frame({ ...message, raw: JSON.stringify(message) });
  };
const succeeds = (channel: string, ...ids: readonly string[]) =>
  hears('pusher_internal:subscription_succeeded', channel, { presence: { ids, count: ids.length } });
const added = (user: string) => hears('pusher_internal:member_added', room, { user_id: user });
const removed = (user: string) => hears('pusher_internal:member_removed', room, { user_id: user });
const counts = (channel: string, count: number) =>
  hears('pusher_internal:subscription_count', channel, { subscription_count: count });
const ticks = (n: number, fields: Partial<Tick> = {}, channel = room) =>
  hears('tick', channel, { app: 'one', channel, from: 'a.1', n, ...fields });
const pong = hears('pusher:pong');

describe('the view of a socket that is told what is right', () => {
  test('has no problems, and knows who is there', () => {
    const view = viewOf(
      asks(room),
      succeeds(room, 'one-1', 'one-2'),
      added('one-3'),
      removed('one-1'),
      ticks(1),
    );
    expect(view.problems).toEqual([]);
    expect([view.joined, view.membersOf(room)]).toEqual([[room], ['one-2', 'one-3']]);
  });

  test('hears some messages of each publisher, in their order', () => {
    const view = viewOf(asks(room), succeeds(room), ticks(2), ticks(1, { from: 'b.1' }), ticks(5));
    expect(view.problems).toEqual([]);
    expect([view.hasHeard(room, 'a.1', 5), view.hasHeard(room, 'a.1', 2)]).toEqual([true, false]);
  });

  test('may be told of a channel it leaves until the server has answered the ping behind that', () => {
    const view = viewOf(asks(room), succeeds(room), leaves(room), added('one-1'), ticks(1), pong);
    expect(view.problems).toEqual([]);
    expect([view.joined, view.asked]).toEqual([[], []]);
  });

  test('who leaves and comes back begins with what the new success says', () => {
    const view = viewOf(
      ...[asks(room), succeeds(room, 'one-1'), leaves(room), asks(room), removed('one-1'), pong],
      ...[succeeds(room, 'one-2'), added('one-1')],
    );
    expect(view.problems).toEqual([]);
    expect(view.membersOf(room)).toEqual(['one-1', 'one-2']);
  });

  test('waits for the answers it asked for, and knows the last count', () => {
    const view = viewOf(
      asks(room),
      asks('plain-a'),
      succeeds('plain-a'),
      counts('plain-a', 3),
      counts('plain-a', 2),
    );
    expect([view.asked, view.joined, view.countOf('plain-a')]).toEqual([[room], ['plain-a'], 2]);
  });
});

test('a view may be told that the server stops', () => {
  expect(viewOf(hears('pusher:error', undefined, { code: 4200 })).problems).toEqual([]);
});

const joined = [asks(room), succeeds(room, 'one-1')];

const faults: Readonly<
  Record<string, readonly [told: readonly ((view: SocketView) => void)[], problem: RegExp]>
> = {
  'a message before the success': [[asks(room), ticks(1)], /ann: the socket is not subscribed: .*tick/],
  'a member before the success': [[asks(room), added('one-2')], /the socket is not subscribed/],
  'a message of a channel that it never asked for': [[...joined, ticks(1, {}, 'plain-a')], /not subscribed/],
  'a message after the server has handled its leaving': [
    [...joined, leaves(room), pong, ticks(1)],
    /the socket is not subscribed/,
  ],
  'a message of its former subscription after the ping, before the new success': [
    [...joined, leaves(room), asks(room), pong, ticks(1)],
    /the socket is not subscribed/,
  ],
  'a second success': [[...joined, succeeds(room)], /nobody asked for it/],
  'a member that is there': [[...joined, added('one-1')], /added twice/],
  'a member that comes twice': [[...joined, added('one-2'), added('one-2')], /added twice/],
  'a member that goes and is not there': [[...joined, removed('one-2')], /removed without being there/],
  'a member that goes twice': [
    [...joined, removed('one-1'), removed('one-1')],
    /removed without being there/,
  ],
  'a member of another app': [[...joined, added('two-1')], /a user of another app/],
  'a message of another app': [[...joined, ticks(1, { app: 'two' })], /a message of another app/],
  'a message of another channel': [
    [...joined, ticks(1, { channel: 'plain-a' })],
    /a message of another channel/,
  ],
  'a message twice': [[...joined, ticks(1), ticks(1)], /heard behind message 1/],
  'messages of one publisher out of order': [[...joined, ticks(2), ticks(1)], /heard behind message 2/],
  'an error': [[hears('pusher:error')], /an error/],
  'a refused subscription': [[asks(room), hears('pusher:subscription_error', room)], /an error/],
};

test.each(Object.entries(faults))('the view tells of %s', (_, [told, problem]) => {
  const { problems } = viewOf(...told);
  expect(problems).toEqual([expect.stringMatching(problem)]);
});

test('a problem says what came before it', () => {
  const [problem] = viewOf(...joined, removed('one-7')).problems;
  expect(problem).toMatch(/before it: > subscribe presence-a < .*subscription_succeeded/);
});
