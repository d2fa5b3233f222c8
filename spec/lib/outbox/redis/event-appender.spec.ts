import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Group } from '../../../../lib/cluster/group-source.ts';
import type { NewOutboxEvent } from '../../../../lib/outbox/outbox-event.ts';
import { partitionOf } from '../../../../lib/cluster/partition.ts';
import { EventAppender, type EventAppenderOptions } from '../../../../lib/outbox/redis/event-appender.ts';

const partitions = 2;
const here = partitionOf('app-1', 'x', partitions);

function said(data: string, appId = 'app-1', channel = 'x'): NewOutboxEvent {
  return { kind: 'client_event', appId, channel, event: 'client-said', data, socketId: '1.1' };
}

function makeAppender(own: Partial<EventAppenderOptions> = {}) {
  const poked: number[] = [];
  const dropped: string[] = [];
  const begunAnew: number[] = [];
  let ids = 0;
  const appender = new EventAppender({
    partitions,
    maxEvents: 100,
    maxBytes: 1_000_000,
    newId: () => `n-${++ids}`,
    isToldTo: (appId) => appId === 'app-1',
    poke: (partition) => poked.push(partition),
    onDropped: (appId) => dropped.push(appId),
    onLost: () => undefined,
    onBegunAnew: (partition) => begunAnew.push(partition),
    ...own,
  });
  const taken = (room = 100): readonly Group[] => appender.take(here, room);
  return { appender, poked, dropped, begunAnew, taken };
}

const dataOf = (groups: readonly Group[]): readonly string[] =>
  groups.map(({ args }) => (JSON.parse(String(args[4])) as { data: string }).data);

/** Whether a promise is settled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return done;
}

describe('events on their way into the outbox', () => {
  test('are groups of the script, with an id of their own', () => {
    const { appender, poked, taken } = makeAppender();
    void appender.append([said('1'), { kind: 'cache_miss', appId: 'app-1', channel: 'x' }]);
    const rest = '{"id":"n-1","event":"client-said","data":"1","socketId":"1.1"}';
    expect([poked, taken().map(({ args }) => args)]).toEqual([
      [here],
      [
        ['e', 'app-1', 'x', 'client_event', rest],
        ['e', 'app-1', 'x', 'cache_miss', '{"id":"n-2"}'],
      ],
    ]);
  });

  test('are fulfilled when the store has applied all of them', async () => {
    const { appender, taken } = makeAppender();
    const appended = appender.append([said('1'), said('2')]);
    const [first, second] = taken();
    first!.answered('');
    const half = await isDone(appended);
    second!.answered('');
    expect([half, await isDone(appended)]).toEqual([false, true]);
  });

  test('of an app without endpoints go nowhere', async () => {
    const { appender, poked } = makeAppender();
    expect(await isDone(appender.append([said('1', 'app-2')]))).toBe(true);
    expect([appender.events, poked]).toEqual([0, []]);
  });

  test('are taken as far as there is room, in order', () => {
    const { appender, taken } = makeAppender();
    void appender.append([said('1'), said('2'), said('3')]);
    expect([dataOf(taken(2)), appender.waiting(here), dataOf(taken(2))]).toEqual([
      ['1', '2'],
      { changes: 1, isUrgent: true },
      ['3'],
    ]);
  });

  test('wait while the store is away, and nobody waits for them', async () => {
    const { appender, taken } = makeAppender();
    const before = appender.append([said('1')]);
    appender.away();
    const during = appender.append([said('2')]);
    expect([await isDone(before), await isDone(during)]).toEqual([true, true]);
    appender.returned();
    expect([await isDone(appender.append([said('3')])), dataOf(taken())]).toEqual([false, ['1', '2', '3']]);
  });

  test('are the newest when there are too many, and it is said', () => {
    const { appender, dropped, taken } = makeAppender({ maxEvents: 2 });
    appender.away();
    for (const data of ['1', '2', '3', '4']) void appender.append([said(data)]);
    expect([dropped, dataOf(taken())]).toEqual([
      ['app-1', 'app-1'],
      ['3', '4'],
    ]);
  });

  test('are the newest when they are too large', () => {
    const { appender, taken } = makeAppender({ maxBytes: 5_000 });
    appender.away();
    for (const data of ['a', 'b', 'c']) void appender.append([said(data.repeat(1_000))]);
    expect([dataOf(taken()).map((data) => data[0]), appender.bytes]).toEqual([['b', 'c'], 0]);
  });

  test('wait when the node begins anew, until the store knows the endpoints again', () => {
    const { appender, begunAnew, poked, taken } = makeAppender();
    void appender.append([said('1')]);
    appender.assertAll(here);
    const held = [dataOf(taken()), appender.waiting(here).changes];
    poked.length = 0;
    appender.release(here);
    expect([begunAnew, held, poked, dataOf(taken())]).toEqual([[here], [[], 0], [here], ['1']]);
  });

  test('that were taken are not taken again when the node begins anew: its writer has them', async () => {
    const { appender, taken } = makeAppender();
    const appended = appender.append([said('1')]);
    const [group] = taken();
    appender.assertAll(here);
    appender.release(here);
    const again = taken();
    group!.answered('');
    expect([again, await isDone(appended)]).toEqual([[], true]);
  });

  const step = fc.oneof(
    fc.constant({ do: 'append' as const }),
    fc.record({ do: fc.constant('take' as const), room: fc.integer({ min: 1, max: 3 }) }),
    fc.constant({ do: 'answer' as const }),
    fc.constant({ do: 'begin anew' as const }),
    fc.constant({ do: 'release' as const }),
  );

  test('are applied in order, none left out, however often the node begins anew', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { appender, taken } = makeAppender();
        let sent: readonly Group[] = [];
        const applied: string[] = [];
        const answer = (): void => {
          applied.push(...dataOf(sent));
          for (const group of sent) group.answered('');
          sent = [];
        };
        let count = 0;
        for (const one of steps) {
          if (one.do === 'append') void appender.append([said(`${++count}`)]);
          if (one.do === 'take' && sent.length === 0) sent = taken(one.room);
          if (one.do === 'answer') answer();
          if (one.do === 'begin anew') appender.assertAll(here);
          if (one.do === 'release') appender.release(here);
        }
        answer();
        appender.release(here);
        sent = taken();
        answer();
        expect(applied).toEqual(Array.from({ length: count }, (_, n) => `${n + 1}`));
        expect([appender.events, appender.bytes]).toEqual([0, 0]);
      }),
    );
  });
});
