import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Fold, type FoldOptions } from '../../../../lib/outbox/memory/fold.ts';
import { isLifecycle, type LifecycleEvent } from '../../../../lib/outbox/outbox-event.ts';
import { cacheMiss, clientEvent, Lifecycle, subscriptionCount } from '../events.ts';
import { inWords } from '../open-outbox.ts';
import { ToldState } from '../told-state.ts';

describe('a fold', () => {
  function open(takes: FoldOptions['takes'] = () => true) {
    let ids = 0;
    const held = { bytes: 0 };
    return { fold: new Fold({ appId: 'app-1', held, newId: () => `x${++ids}`, takes }), held };
  }
  const wordsOf = (fold: Fold) => Array.from(fold.events(), inWords);

  test('keeps what does not cancel, in its order', () => {
    const { fold } = open();
    const lifecycle = new Lifecycle();
    fold.add(lifecycle.event('channel_occupied'));
    fold.add(lifecycle.event('member_added', 'x', 'ada'));
    expect(wordsOf(fold)).toEqual(['channel_occupied', 'member_added ada']);
  });

  test('leaves out what cancels, and says which range before the rest of the channel', () => {
    const { fold } = open();
    const lifecycle = new Lifecycle();
    fold.add(lifecycle.event('channel_occupied'));
    fold.add(lifecycle.event('member_added', 'x', 'ada'));
    fold.add(lifecycle.event('member_added', 'x', 'bob'));
    fold.add(lifecycle.event('member_removed', 'x', 'ada'));
    expect([...fold.events()]).toMatchObject([
      { kind: 'spillway_coalesced', channel: 'x', epoch: 'e1-x', fromSeq: 2, toSeq: 4, count: 2 },
      { kind: 'channel_occupied', seq: 1 },
      { kind: 'member_added', userId: 'bob', seq: 3 },
    ]);
  });

  test('keeps the last of an odd number', () => {
    const { fold } = open();
    const lifecycle = new Lifecycle();
    for (const kind of ['member_added', 'member_removed', 'member_added'] as const)
      fold.add(lifecycle.event(kind, 'x', 'ada'));
    expect([...fold.events()]).toMatchObject([{ count: 2, fromSeq: 1, toSeq: 2 }, { seq: 3 }]);
  });

  test('has a range for each epoch', () => {
    const { fold } = open();
    for (const epoch of ['e1', 'e2']) {
      const lifecycle = new Lifecycle(epoch);
      fold.add(lifecycle.event('channel_occupied'));
      fold.add(lifecycle.event('channel_vacated'));
    }
    expect([...fold.events()]).toMatchObject([
      { epoch: 'e1-x', fromSeq: 1, toSeq: 2, count: 2 },
      { epoch: 'e2-x', fromSeq: 1, toSeq: 2, count: 2 },
    ]);
  });

  describe('of a channel that is told anew', () => {
    const reconciled = (event: LifecycleEvent): LifecycleEvent => ({ ...event, cause: 'reconciled' });
    const before = new Lifecycle('e1');
    const after = new Lifecycle('e2');
    const [occupied, added] = [before.event('channel_occupied'), before.event('member_added', 'x', 'ada')];
    const anew = [after.event('channel_occupied'), after.event('member_added', 'x', 'ada')].map(reconciled);
    const removed = after.event('member_removed', 'x', 'ada');
    const vacated = after.event('channel_vacated');
    const occupiedAgain = after.event('channel_occupied');

    test('keeps the telling anew, and nothing of before', () => {
      const { fold } = open();
      for (const event of [occupied, added, ...anew]) fold.add(event);
      expect([...fold.events()]).toMatchObject([{ epoch: 'e1-x', fromSeq: 1, toSeq: 2, count: 2 }, ...anew]);
    });

    test('keeps that it was vacated since, for the endpoint may have known it occupied', () => {
      const { fold } = open();
      for (const event of [occupied, ...anew, removed, vacated]) fold.add(event);
      expect(wordsOf(fold).slice(-2)).toEqual(['channel_occupied', 'channel_vacated']);
      fold.add(occupiedAgain);
      expect(wordsOf(fold).slice(-1)).toEqual(['channel_occupied']);
      expect([...fold.events()].at(-1)).toEqual(anew[0]);
    });

    test('keeps what followed when the telling anew was taken', () => {
      const { fold } = open();
      for (const event of anew) fold.add(event);
      fold.take(2);
      fold.add(removed);
      fold.add(vacated);
      expect(wordsOf(fold)).toEqual(['member_removed ada', 'channel_vacated']);
    });
  });

  test('gives a range the same id until it is taken, and another one afterwards', () => {
    const { fold } = open();
    const lifecycle = new Lifecycle();
    const flap = (): void => {
      fold.add(lifecycle.event('channel_occupied'));
      fold.add(lifecycle.event('channel_vacated'));
    };
    const ids = () => Array.from(fold.events(), ({ id }) => id);
    flap();
    const first = ids();
    flap();
    expect(ids()).toEqual(first);
    fold.take(1);
    flap();
    expect(ids()).not.toEqual(first);
  });

  test('does not cancel what was taken already', () => {
    const { fold } = open();
    const lifecycle = new Lifecycle();
    fold.add(lifecycle.event('channel_occupied'));
    fold.take(1);
    fold.add(lifecycle.event('channel_vacated'));
    expect(wordsOf(fold)).toEqual(['channel_vacated']);
  });

  test('keeps the last subscription count and the first cache miss', () => {
    const { fold } = open();
    for (const event of [subscriptionCount(1), cacheMiss('m1'), subscriptionCount(2), cacheMiss('m2')])
      fold.add(event);
    expect([...fold.events()]).toMatchObject([
      { kind: 'spillway_coalesced', count: 2 },
      { kind: 'cache_miss', id: 'm1' },
      { kind: 'subscription_count', subscriptionCount: 2 },
    ]);
  });

  test('leaves out the oldest client events when it has to, in a range without a seq', () => {
    const { fold } = open();
    for (const data of ['1', '2', '3']) fold.add(clientEvent(data));
    fold.shed(2, () => false);
    const [range, left] = [...fold.events()];
    expect([range, left]).toMatchObject([{ kind: 'spillway_coalesced', count: 2 }, { data: '3' }]);
    expect(['epoch', 'fromSeq', 'toSeq'].some((field) => field in range!)).toBe(false);
  });

  test('leaves out no more than is enough, and nothing of the lifecycle', () => {
    const { fold } = open();
    fold.add(new Lifecycle().event('channel_occupied'));
    for (const data of ['1', '2']) fold.add(clientEvent(data));
    let asked = 0;
    fold.shed(10, () => asked++ === 1);
    expect(wordsOf(fold)).toEqual(['left out 1', 'channel_occupied', 'client_event']);
    fold.shed(10, () => false);
    expect(wordsOf(fold)).toEqual(['left out 2', 'channel_occupied']);
  });

  test('leaves out counts and cache misses of ever more channels, in one range', () => {
    const { fold, held } = open();
    for (let n = 0; n < 1_000; n++) fold.add(cacheMiss(`m${n}`, `cache-${n}`));
    for (let n = 0; n < 1_000; n++) fold.add(subscriptionCount(n, `channel-${n}`));
    fold.shed(10_000, () => held.bytes < 1_000);
    expect(held.bytes).toBeLessThan(1_000);
    expect([...fold.events()][0]).toMatchObject({ kind: 'spillway_coalesced', channel: '*' });
    fold.add(cacheMiss('again', 'cache-1'));
    expect([...fold.events()][1]).toMatchObject({
      kind: expect.stringMatching('cache_miss|subscription_count'),
    });
  });

  test('merges the ranges of channels of which nothing is left into one, before everything', () => {
    const { fold, held } = open();
    const lifecycle = new Lifecycle();
    for (const channel of ['x', 'y', 'z']) {
      fold.add(lifecycle.event('channel_occupied', channel));
      if (channel !== 'z') fold.add(lifecycle.event('channel_vacated', channel));
    }
    fold.mergeRanges(100);
    expect([...fold.events()]).toMatchObject([
      { kind: 'spillway_coalesced', channel: '*', count: 4 },
      { kind: 'channel_occupied', channel: 'z' },
    ]);
    fold.take(2);
    expect([fold.length, held.bytes]).toEqual([0, 0]);
  });

  test('misses nothing its endpoint never hears of', () => {
    const { fold } = open((kind) => kind === 'member_added');
    const lifecycle = new Lifecycle();
    fold.add(lifecycle.event('channel_occupied'));
    fold.add(lifecycle.event('member_added', 'x', 'ada'));
    fold.add(lifecycle.event('member_removed', 'x', 'ada'));
    fold.add(lifecycle.event('channel_vacated'));
    fold.add(clientEvent('1'));
    expect([...fold.events()]).toMatchObject([
      { kind: 'spillway_coalesced', count: 1, fromSeq: 2, toSeq: 2 },
    ]);
  });

  test('keeps nothing of a channel its endpoint never hears of', () => {
    const { fold, held } = open((_, channel) => channel === 'y');
    fold.add(new Lifecycle().event('channel_occupied'));
    expect([fold.length, held.bytes]).toEqual([0, 0]);
  });

  test('gives up what is too old, oldest first', () => {
    const { fold } = open();
    for (const [index, data] of ['1', '2', '3'].entries()) fold.add(clientEvent(data, 'x', index));
    expect(fold.takeOlder(2, 10)).toMatchObject([{ data: '1' }, { data: '2' }]);
    expect([fold.length, fold.oldestAtMs]).toEqual([1, 2]);
  });

  test('can be made again from what is read from it', () => {
    const { fold } = open();
    for (const event of randomHistory(fc.sample(steps, { numRuns: 1, seed: 7 })[0]!)) fold.add(event);
    const again = open();
    for (const event of fold.events()) again.fold.add(event);
    expect([[...again.fold.events()], again.held.bytes]).toEqual([[...fold.events()], fold.bytes]);
  });

  test('leads wherever the events lead, in their order, with as many left out as it says', () => {
    fc.assert(
      fc.property(steps, fc.nat(60), fc.array(fc.nat(5)), (history, toldCount, takes) => {
        const { fold, held } = open();
        const events = randomHistory(history);
        const before = events.slice(0, toldCount);
        const told = new ToldState().tell(before);
        const all = new ToldState().tell(events);
        let seen = 0;
        const take = (count: number): void => {
          const taken = [...fold.events()].slice(0, count);
          fold.take(count);
          told.tell(taken);
          for (const event of taken) seen += event.kind === 'spillway_coalesced' ? event.count : 1;
        };
        for (const [index, event] of events.slice(toldCount).entries()) {
          fold.add(event);
          if (index % 7 === 6) take(takes[index % (takes.length || 1)] ?? 0);
        }
        take(fold.length);
        expect(told.state).toEqual(all.state);
        expect([seen, fold.length, fold.bytes, held.bytes]).toEqual([events.length - before.length, 0, 0, 0]);
      }),
    );
  });
});

const steps = fc.array(
  fc.record({
    channel: fc.constantFrom('x', 'y'),
    user: fc.constantFrom('ada', 'bob', 'cleo'),
    newEpoch: fc.boolean(),
  }),
  { minLength: 1, maxLength: 100 },
);

/** A history that can be: each step turns one user's presence over, and the channel follows. */
function randomHistory(
  history: readonly { readonly channel: string; readonly user: string; readonly newEpoch: boolean }[],
): readonly LifecycleEvent[] {
  const present = new Map<string, Set<string>>();
  let epochs = 0;
  let lifecycle = new Lifecycle();
  const events = history.flatMap(({ channel, user, newEpoch }) => {
    const users = present.get(channel) ?? new Set<string>();
    present.set(channel, users);
    if (users.delete(user)) {
      const removed = lifecycle.event('member_removed', channel, user);
      return users.size > 0 ? [removed] : [removed, lifecycle.event('channel_vacated', channel)];
    }
    const isEmpty = [...present.values()].every(({ size }) => size === 0);
    if (isEmpty && newEpoch) lifecycle = new Lifecycle(`e${++epochs + 1}`);
    const occupied = users.size === 0 ? [lifecycle.event('channel_occupied', channel)] : [];
    users.add(user);
    return [...occupied, lifecycle.event('member_added', channel, user)];
  });
  return events.filter(isLifecycle);
}
