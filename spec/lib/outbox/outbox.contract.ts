import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RawObject } from '../../../config/raw.ts';
import type { LaneWork } from '../../../lib/outbox/outbox.ts';
import { isLifecycle, type NewOutboxEvent, type OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { endpoint, graceMs, inWords, join, leave, openOutbox, room } from './open-outbox.ts';
import type { StoresFixture } from '../stores.ts';
import { ToldState } from './told-state.ts';

const said = (data: string, channel = room): NewOutboxEvent => ({
  kind: 'client_event',
  appId: 'app-1',
  channel,
  event: 'client-said',
  data,
  socketId: '1.1',
});
const dataOf = (events: readonly OutboxEvent[]): readonly string[] =>
  events.map((event) => (event.kind === 'client_event' ? event.data : inWords(event)));
const refused = { reason: '400', isRefusal: true };

/** What every outbox has to do, whatever it is made of. */
export function describeOutbox(fixture: StoresFixture): void {
  const { name } = fixture;
  /** With one endpoint that takes everything. */
  async function open(webhooks: RawObject = {}) {
    const opened = openOutbox(fixture, webhooks);
    await opened.open(endpoint('hook'));
    return opened;
  }
  /** With client events 1, 2, 3 on one lane. */
  async function openWithWork() {
    const opened = await open();
    await opened.answerOf(opened.outbox.append([said('1'), said('2'), said('3')]));
    return { ...opened, lane: opened.laneOf() };
  }

  describe(`an outbox (${name})`, () => {
    beforeEach(() => fixture.begin());
    afterEach(() => fixture.end());

    describe('a lifecycle event', () => {
      test('has the next seq of its channel, in one epoch, and an id of its own', async () => {
        const { apply, deliver } = await open();
        await apply(join('1.1', 'ada'), join('1.2', 'bob'));
        const told = (await deliver()).filter(isLifecycle);
        expect(told.map(({ seq }) => seq)).toEqual([1, 2, 3]);
        expect([
          new Set(told.map(({ epoch }) => epoch)).size,
          new Set(told.map(({ id }) => id)).size,
        ]).toEqual([1, 3]);
      });

      test('of each channel has a seq of its own', async () => {
        const { apply, deliver } = await open();
        await apply(join('1.1', 'ada'), join('1.1', 'ada', { channel: 'presence-x' }));
        const told = (await deliver()).filter(isLifecycle).filter(({ channel }) => channel === 'presence-x');
        expect(told.map(({ seq }) => seq)).toEqual([1, 2]);
      });

      test('goes on with its seq and epoch when the channel was vacated in between', async () => {
        const { apply, settle, deliver } = await open();
        await apply(join('1.1'), leave('1.1'));
        await settle();
        await apply(join('1.1'));
        const told = (await deliver()).filter(isLifecycle);
        expect(told.map(({ seq, epoch }) => [seq, epoch])).toEqual(
          [1, 2, 3].map((seq) => [seq, told[0]!.epoch]),
        );
      });

      test('has the moment at which it entered', async () => {
        const { apply, deliver } = await open();
        const fromMs = Date.now();
        await apply(join('1.1'));
        const untilMs = Date.now();
        const [{ atMs }] = (await deliver()) as [OutboxEvent];
        expect(atMs >= fromMs && atMs <= untilMs).toBe(true);
      });

      test('of an app without endpoints goes nowhere', async () => {
        const { apply, deliver } = await open();
        await apply(join('1.1', 'ada', { appId: 'app-2' }));
        expect(await deliver()).toEqual([]);
      });
    });

    describe('a leave', () => {
      const leaving = async () => {
        const opened = await open();
        await opened.apply(join('1.1', 'ada'));
        await opened.deliver();
        await opened.apply(leave('1.1'));
        return opened;
      };

      test('is not told within the grace', async () => {
        const { elapse, deliver } = await leaving();
        await elapse(graceMs / 2);
        expect(await deliver()).toEqual([]);
      });

      test('is told after the grace, the member before the channel', async () => {
        const { elapse, deliver } = await leaving();
        await elapse(graceMs);
        expect((await deliver()).map(inWords)).toEqual(['member_removed ada', 'channel_vacated']);
      });

      test('is told at once when nothing will come any more', async () => {
        const { settle, deliver } = await leaving();
        await settle();
        expect((await deliver()).map(inWords)).toEqual(['member_removed ada', 'channel_vacated']);
      });

      test('is told at once without a grace', async () => {
        const { apply, deliver } = await open({ graceMs: 0 });
        await apply(join('1.1', 'ada'), leave('1.1'));
        expect((await deliver()).map(inWords).slice(2)).toEqual(['member_removed ada', 'channel_vacated']);
      });

      test('that is followed by a return within the grace is never told', async () => {
        const { apply, elapse, deliver } = await leaving();
        await elapse(graceMs / 2);
        await apply(join('1.1', 'ada', { incarnation: 2 }));
        await elapse(graceMs * 2);
        expect(await deliver()).toEqual([]);
      });

      test('counts its grace anew after each return', async () => {
        const { apply, elapse, deliver } = await leaving();
        await elapse(graceMs / 2);
        await apply(join('1.1', 'ada', { incarnation: 2 }), leave('1.1', { incarnation: 2 }));
        await elapse(graceMs / 2);
        expect(await deliver()).toEqual([]);
        await elapse(graceMs / 2);
        expect((await deliver()).map(inWords)).toEqual(['member_removed ada', 'channel_vacated']);
      });

      test('is told although others came: the channel stays occupied', async () => {
        const { apply, elapse, deliver } = await leaving();
        await apply(join('1.2', 'bob'));
        await elapse(graceMs);
        expect((await deliver()).map(inWords)).toEqual(['member_added bob', 'member_removed ada']);
      });
    });

    describe('other events', () => {
      test('have ids of their own', async () => {
        const { deliver } = await openWithWork();
        expect(new Set((await deliver()).map(({ id }) => id)).size).toBe(3);
      });

      test('keep their order with the lifecycle events of the channel', async () => {
        const { apply, outbox, answerOf, deliver } = await open();
        await apply(join('1.1', 'ada'));
        await answerOf(outbox.append([said('hello'), { kind: 'cache_miss', appId: 'app-1', channel: room }]));
        await apply(join('1.2', 'bob'));
        expect((await deliver()).map(inWords)).toEqual([
          'channel_occupied',
          'member_added ada',
          'client_event',
          'cache_miss',
          'member_added bob',
        ]);
      });

      test('of an app without endpoints go nowhere', async () => {
        const { outbox, answerOf, deliver } = await open();
        await answerOf(outbox.append([{ ...said('1'), appId: 'app-2' }]));
        expect(await deliver()).toEqual([]);
      });
    });

    describe('a subscription count', () => {
      const counted = (from: number, until: number) =>
        Array.from({ length: until - from + 1 }, (_, index) =>
          join(`1.${from + index}`, undefined, { channel: 'counted', counted: true }),
        );
      const countsOf = (events: readonly OutboxEvent[]) =>
        events.flatMap((event) => (event.kind === 'subscription_count' ? [event.subscriptionCount] : []));

      test('is told at each change up to 100', async () => {
        const { apply, deliver } = await open();
        await apply(...counted(1, 99));
        await apply(...counted(100, 100));
        expect(countsOf(await deliver())).toEqual([99, 100]);
      });

      test('is told once in 5 s above, with the last value', async () => {
        const { apply, elapse, deliver } = await open();
        await apply(...counted(1, 101));
        await apply(...counted(102, 110));
        await apply(...counted(111, 120));
        expect(countsOf(await deliver())).toEqual([101]);
        await elapse(5_000);
        expect(countsOf(await deliver())).toEqual([120]);
      });

      test('that falls to 100 is told, and no older one after it', async () => {
        const { apply, elapse, deliver } = await open();
        await apply(...counted(1, 101));
        await apply(...counted(102, 110));
        await apply(
          ...counted(101, 110).map(({ socketId, channel }) => leave(socketId, { channel, counted: true })),
        );
        await elapse(5_000);
        expect(countsOf(await deliver())).toEqual([101, 100]);
      });

      test('is not told to nobody', async () => {
        const opened = openOutbox(fixture);
        await opened.open(endpoint('hook', { takes: (kind) => kind !== 'subscription_count' }));
        await opened.apply(...counted(1, 1));
        expect(countsOf(await opened.deliver())).toEqual([]);
      });
    });

    describe('a lane', () => {
      test('is read oldest first, from where it stands', async () => {
        const { read, record, answerOf, outbox, lane } = await openWithWork();
        const { id } = await record(lane, 1);
        await answerOf(outbox.acknowledge(lane, id));
        const { events } = await read(lane, 1);
        expect(dataOf(events.map(({ event }) => event))).toEqual(['2']);
      });

      test('may be read again with the same answer', async () => {
        const { read, lane } = await openWithWork();
        expect(await read(lane)).toEqual(await read(lane));
      });

      test('has positions that rise', async () => {
        const { read, lane } = await openWithWork();
        const positions = (await read(lane)).events.map(({ position }) => position);
        expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
      });

      test('has its recorded batch and nothing else until that is settled', async () => {
        const { read, record, lane } = await openWithWork();
        const { id, body, events, createdAtMs } = await record(lane, 2);
        const content = await read(lane);
        expect([content.batch, content.events]).toEqual([
          {
            id,
            body,
            events,
            createdAtMs,
            failures: 0,
            lastFailure: undefined,
            refusedSinceMs: undefined,
            isSplit: false,
          },
          [],
        ]);
      });

      test('takes one of two batches that were made from the same reading', async () => {
        const { read, newBatch, answerOf, outbox, lane } = await openWithWork();
        const { events, token } = await read(lane);
        const upTo = events[0]!.position;
        const answers = [
          await answerOf(outbox.record(lane, token, upTo, newBatch([]))),
          await answerOf(outbox.record(lane, token, upTo, newBatch([]))),
        ];
        expect(answers).toEqual([true, false]);
      });

      test('takes a batch although more came after it was read', async () => {
        const { read, newBatch, answerOf, outbox, lane, deliver } = await openWithWork();
        const { events, token } = await read(lane);
        await answerOf(outbox.append([said('4')]));
        const batch = newBatch(events.map(({ event }) => event));
        expect(await answerOf(outbox.record(lane, token, events.at(-1)!.position, batch))).toBe(true);
        expect(dataOf(await deliver())).toEqual(['1', '2', '3', '4']);
      });

      test('takes no second batch beside a recorded one', async () => {
        const { read, record, newBatch, answerOf, outbox, lane, deliver } = await openWithWork();
        await record(lane, 1);
        const { token } = await read(lane);
        const answers = [
          await answerOf(outbox.record(lane, token, 1_000, newBatch([]))),
          await answerOf(outbox.skip(lane, token, 1_000)),
        ];
        expect([answers, dataOf(await deliver())]).toEqual([
          [false, false],
          ['1', '2', '3'],
        ]);
      });

      test('goes on behind what was skipped', async () => {
        const { read, answerOf, outbox, lane, deliver } = await openWithWork();
        const { events, token } = await read(lane);
        expect(await answerOf(outbox.skip(lane, token, events[1]!.position))).toBe(true);
        expect(dataOf(await deliver())).toEqual(['3']);
      });

      test('is not skipped by an old reading', async () => {
        const { read, answerOf, outbox, lane, deliver } = await openWithWork();
        const { events, token } = await read(lane);
        await answerOf(outbox.skip(lane, token, events[0]!.position));
        expect(await answerOf(outbox.skip(lane, token, events[2]!.position))).toBe(false);
        expect(dataOf(await deliver())).toEqual(['2', '3']);
      });

      test('of each endpoint goes at its own pace', async () => {
        const { open: openWith, outbox, answerOf, deliver } = await open();
        await openWith(endpoint('hook'), endpoint('other'));
        await answerOf(outbox.append([said('1')]));
        await deliver('hook');
        await answerOf(outbox.append([said('2')]));
        expect([dataOf(await deliver('hook')), dataOf(await deliver('other'))]).toEqual([['2'], ['1', '2']]);
      });

      test('of an unknown endpoint is empty', async () => {
        const { read, lane } = await openWithWork();
        const { batch, events } = await read({ ...lane, endpointId: 'nobody' });
        expect([batch, events]).toEqual([undefined, []]);
      });
    });

    describe('a recorded batch', () => {
      test('is the same on every attempt, and counts them', async () => {
        const { read, record, answerOf, outbox, lane } = await openWithWork();
        const { id, body } = await record(lane);
        await answerOf(outbox.failed(lane, id, { reason: '503', isRefusal: false }));
        await answerOf(outbox.failed(lane, id, { reason: '500', isRefusal: false }));
        expect((await read(lane)).batch).toMatchObject({ id, body, failures: 2, lastFailure: '500' });
      });

      test('is refused since the first of its last refusals', async () => {
        const { read, record, answerOf, outbox, lane, elapse } = await openWithWork();
        const { id } = await record(lane);
        await answerOf(outbox.failed(lane, id, refused));
        const since = (await read(lane)).batch!.refusedSinceMs;
        await elapse(1_000);
        await answerOf(outbox.failed(lane, id, refused));
        expect([(await read(lane)).batch!.refusedSinceMs, since]).toEqual([since, expect.any(Number)]);
      });

      test('is not refused any more after another failure', async () => {
        const { read, record, answerOf, outbox, lane } = await openWithWork();
        const { id } = await record(lane);
        await answerOf(outbox.failed(lane, id, refused));
        await answerOf(outbox.failed(lane, id, { reason: 'no answer', isRefusal: false }));
        expect((await read(lane)).batch!.refusedSinceMs).toBeUndefined();
      });

      test('is gone once it was acknowledged, and acknowledging it again does nothing', async () => {
        const { record, answerOf, outbox, lane, deliver } = await openWithWork();
        const { id } = await record(lane, 1);
        await answerOf(outbox.acknowledge(lane, id));
        const next = await record(lane, 1);
        await answerOf(outbox.acknowledge(lane, id));
        expect(dataOf(next.events)).toEqual(['2']);
        expect(dataOf(await deliver())).toEqual(['2', '3']);
      });

      test('that is not known can fail, be split and given up without a trace', async () => {
        const { newBatch, answerOf, outbox, lane, deliver } = await openWithWork();
        await answerOf(outbox.failed(lane, 'unknown', refused));
        await answerOf(outbox.split(lane, 'unknown', [newBatch([])]));
        await answerOf(outbox.deadLetter(lane, 'unknown', '400'));
        expect(dataOf(await deliver())).toEqual(['1', '2', '3']);
        expect((await answerOf(outbox.backlogs()))[0]!.deadLetters).toBe(0);
      });

      test('that is split is followed by its parts, in order, before all else', async () => {
        const { read, record, newBatch, answerOf, outbox, lane, deliver } = await openWithWork();
        const { id, events } = await record(lane, 2);
        await answerOf(outbox.failed(lane, id, refused));
        const parts = events.map((event) => newBatch([event]));
        await answerOf(outbox.split(lane, id, parts));
        expect((await read(lane)).batch).toMatchObject({ id: parts[0]!.id, isSplit: true, failures: 0 });
        expect(dataOf(await deliver())).toEqual(['1', '2', '3']);
      });

      test('that is given up lets the lane go on', async () => {
        const { record, answerOf, outbox, lane, deliver } = await openWithWork();
        const { id } = await record(lane, 1);
        await answerOf(outbox.deadLetter(lane, id, '400'));
        expect(dataOf(await deliver())).toEqual(['2', '3']);
      });
    });

    describe('the last seq an endpoint was sent', () => {
      test('is that of the last batch it took', async () => {
        const { apply, deliver, read, laneOf } = await open();
        await apply(join('1.1', 'ada'));
        const [, last] = (await deliver()).filter(isLifecycle);
        await apply(join('1.2', 'bob'));
        expect([...(await read(laneOf())).sent]).toEqual([[room, { epoch: last!.epoch, seq: 2 }]]);
      });

      test('is not moved by a batch that it did not take', async () => {
        const { apply, record, read, laneOf, answerOf, outbox } = await open();
        await apply(join('1.1', 'ada'));
        const { id } = await record(laneOf());
        await answerOf(outbox.failed(laneOf(), id, refused));
        await answerOf(outbox.deadLetter(laneOf(), id, '400'));
        await apply(join('1.2', 'bob'));
        expect([...(await read(laneOf())).sent]).toEqual([]);
      });
    });

    describe('work', () => {
      const openAndWatch = async () => {
        const opened = await openWithWork();
        const work: LaneWork[] = [];
        void opened.outbox.work$.forEach((one) => work.push(one));
        /** Each once: a sweep may tell of a lane that was told of before. */
        const told = (): readonly string[] => [
          ...new Set(work.map(({ lane, pending }) => `${lane.endpointId} ${pending}`)),
        ];
        return { ...opened, work, told };
      };

      test('is told of every endpoint of the app when something is added', async () => {
        const { open: openWith, outbox, answerOf, work, told } = await openAndWatch();
        await openWith(endpoint('hook'), endpoint('other'), endpoint('foreign', { appId: 'app-2' }));
        work.length = 0;
        await answerOf(outbox.append([said('4')]));
        expect(told()).toEqual(['hook 4', 'other 1']);
      });

      test('is told when an endpoint opens with a backlog', async () => {
        const { open: openWith, told } = await openAndWatch();
        await openWith(endpoint('hook'));
        expect(told()).toEqual(['hook 3']);
      });

      test('is told after a batch when there is more, and not when there is none', async () => {
        const { record, answerOf, outbox, lane, told } = await openAndWatch();
        await answerOf(outbox.acknowledge(lane, (await record(lane, 2)).id));
        expect(told()).toEqual(['hook 1']);
        await answerOf(outbox.acknowledge(lane, (await record(lane, 2)).id));
        expect(told()).toEqual(['hook 1']);
      });

      test('is told after a batch was split or given up', async () => {
        const { read, record, newBatch, answerOf, outbox, lane, work } = await openAndWatch();
        const { id, events } = await record(lane, 2);
        await answerOf(outbox.split(lane, id, [newBatch(events.slice(0, 1)), newBatch(events.slice(1))]));
        const afterSplit = work.length;
        expect(afterSplit).toBeGreaterThanOrEqual(1);
        await answerOf(outbox.deadLetter(lane, (await read(lane)).batch!.id, '400'));
        expect(work.length).toBeGreaterThan(afterSplit);
      });
    });

    describe('an endpoint', () => {
      test('that is new begins with what is occupied, as it was told to others', async () => {
        const { apply, open: openWith, deliver } = await open();
        await apply(join('1.1', 'ada'), join('1.2', 'bob'), leave('1.2'));
        const told = await deliver('hook');
        await openWith(endpoint('hook'), endpoint('new'));
        expect(await deliver('new')).toEqual(
          told.map((event) => ({ ...event, atMs: expect.any(Number), cause: 'snapshot' })),
        );
      });

      test('that is new goes on from there without a gap', async () => {
        const { apply, settle, open: openWith, deliver } = await open();
        await apply(join('1.1', 'ada'), join('1.2', 'bob'), leave('1.2'));
        await openWith(endpoint('hook'), endpoint('new'));
        await settle();
        await apply(join('1.3', 'cleo'));
        expect((await deliver('new')).map(inWords)).toEqual([
          'channel_occupied',
          'member_added ada',
          'member_added bob',
          'member_removed bob',
          'member_added cleo',
        ]);
      });

      test('of an app that had none begins with what is occupied too', async () => {
        const { apply, open: openWith, deliver } = openOutbox(fixture);
        await apply(join('1.1', 'ada'));
        await openWith(endpoint('new'));
        expect((await deliver('new')).map(inWords)).toEqual(['channel_occupied', 'member_added ada']);
      });

      test('that is known goes on where it was, although it was away', async () => {
        const { apply, open: openWith, deliver } = await open();
        await apply(join('1.1', 'ada'));
        await deliver();
        await openWith(endpoint('other'));
        await apply(join('1.2', 'bob'));
        await openWith(endpoint('hook'), endpoint('other'));
        expect((await deliver('hook')).map(inWords)).toEqual(['member_added bob']);
      });
    });

    describe('the timeline', () => {
      test('has what was told to be occupied, with the seq of each', async () => {
        const { apply, outbox, answerOf } = await open();
        await apply(join('1.1', 'ada'), join('1.2', 'bob'), leave('1.1'));
        const { channels } = await answerOf(outbox.lifecycleSnapshot('app-1'));
        expect(channels).toEqual([
          {
            channel: room,
            epoch: expect.any(String),
            seq: 3,
            members: [
              { userId: 'ada', seq: 2 },
              { userId: 'bob', seq: 3 },
            ],
          },
        ]);
      });

      test('goes on behind its snapshot with lifecycle events alone, in pages', async () => {
        const { apply, settle, outbox, answerOf } = await open();
        await apply(join('1.1', 'ada'));
        const { position } = await answerOf(outbox.lifecycleSnapshot('app-1'));
        await answerOf(outbox.append([said('1')]));
        await apply(leave('1.1'));
        await settle();
        const first = await answerOf(outbox.lifecycleAfter('app-1', position, 1));
        if (typeof first === 'string') throw new Error(first);
        const second = await answerOf(outbox.lifecycleAfter('app-1', first.position, 10));
        expect([first.events.map(inWords), first.hasMore, second]).toMatchObject([
          ['member_removed ada'],
          true,
          { events: [{ kind: 'channel_vacated', seq: 4 }], hasMore: false },
        ]);
      });

      test('is gone behind a position that nobody gave', async () => {
        const { outbox, answerOf } = await open();
        expect(await answerOf(outbox.lifecycleAfter('app-1', 'nonsense', 10))).toBe('gone');
      });

      test('is off for an app without endpoints', async () => {
        const { outbox, answerOf } = await open();
        const { position } = await answerOf(outbox.lifecycleSnapshot('app-2'));
        expect(await answerOf(outbox.lifecycleAfter('app-2', position, 10))).toBe('off');
      });
    });

    describe('the archive', () => {
      test('has the backlog of each endpoint', async () => {
        const { record, answerOf, outbox, lane } = await openWithWork();
        await record(lane, 1);
        const backlogs = await answerOf(outbox.backlogs());
        expect(backlogs).toEqual([
          {
            appId: 'app-1',
            endpointId: 'hook',
            isOpen: true,
            events: 3,
            bytes: expect.any(Number),
            oldestAtMs: expect.any(Number),
            deadLetters: 0,
            coalesced: 0,
          },
        ]);
        expect(backlogs[0]!.bytes).toBeGreaterThan(0);
      });

      test('says how far each event has come', async () => {
        const { record, answerOf, outbox, lane } = await openWithWork();
        const dead = await record(lane, 1);
        await answerOf(outbox.failed(lane, dead.id, refused));
        await answerOf(outbox.deadLetter(lane, dead.id, 'refused: 400'));
        const recorded = await record(lane, 1);
        await answerOf(outbox.failed(lane, recorded.id, { reason: '503', isRefusal: false }));
        const found = await answerOf(outbox.list({ appId: 'app-1' }, 10));
        expect(found.map(({ event, deliveries }) => [...dataOf([event]), deliveries])).toEqual([
          [
            '1',
            [
              {
                endpointId: 'hook',
                state: 'dead',
                batchId: dead.id,
                failures: 1,
                lastFailure: 'refused: 400',
              },
            ],
          ],
          [
            '2',
            [
              {
                endpointId: 'hook',
                state: 'recorded',
                batchId: recorded.id,
                failures: 1,
                lastFailure: '503',
              },
            ],
          ],
          ['3', [{ endpointId: 'hook', state: 'pending' }]],
        ]);
      });

      test('keeps what was delivered', async () => {
        const { deliver, answerOf, outbox } = await openWithWork();
        await deliver();
        const found = await answerOf(outbox.list({ appId: 'app-1', state: 'delivered' }, 2));
        expect(dataOf(found.map(({ event }) => event))).toEqual(['1', '2']);
      });

      test('is asked by id, channel, time and endpoint', async () => {
        const { outbox, answerOf, elapse } = await open();
        await answerOf(outbox.append([said('1')]));
        await elapse(1_000);
        await answerOf(outbox.append([said('2'), said('3', 'private-x')]));
        const ask = async (query: object) => {
          const found = await answerOf(outbox.list({ appId: 'app-1', ...query }, 10));
          return dataOf(found.map(({ event }) => event)).join();
        };
        const [first, second] = await answerOf(outbox.list({ appId: 'app-1', channel: room }, 10));
        expect([
          await ask({ id: second!.event.id }),
          await ask({ channel: 'private-x' }),
          await ask({ toMs: first!.event.atMs }),
          await ask({ fromMs: second!.event.atMs, channel: room }),
          await ask({ endpointId: 'nobody' }),
        ]).toEqual(['2', '3', '1', '2', '']);
      });

      test('names an endpoint only for what came since it opened', async () => {
        const { open: openWith, outbox, answerOf } = await openWithWork();
        await openWith(endpoint('hook'), endpoint('new'));
        await answerOf(outbox.append([said('4')]));
        const found = await answerOf(outbox.list({ appId: 'app-1', endpointId: 'new' }, 10));
        expect(dataOf(found.map(({ event }) => event))).toEqual(['4']);
      });

      test('names only endpoints that asked for the event', async () => {
        const { open: openWith, outbox, answerOf } = await open();
        await openWith(endpoint('hook'), endpoint('lifecycle', { takes: (kind) => kind !== 'client_event' }));
        await answerOf(outbox.append([said('1')]));
        const [found] = await answerOf(outbox.list({ appId: 'app-1' }, 10));
        expect(found!.deliveries.map(({ endpointId }) => endpointId)).toEqual(['hook']);
      });
    });

    describe('a replay', () => {
      test('sends delivered events again, under their ids, on a lane of its own', async () => {
        const { deliver, answerOf, outbox, lanesOf } = await openWithWork();
        const told = await deliver();
        expect(await answerOf(outbox.replay({ appId: 'app-1' }, 2))).toBe(2);
        expect(await deliver()).toEqual(told.slice(0, 2));
        expect(lanesOf('hook').map(({ partition }) => partition)).toContain('replay');
      });

      test('does not send before their turn what was never sent', async () => {
        const { answerOf, outbox, deliver } = await openWithWork();
        expect(await answerOf(outbox.replay({ appId: 'app-1' }, 10))).toBe(0);
        expect(dataOf(await deliver())).toEqual(['1', '2', '3']);
      });

      test('moves no seq', async () => {
        const { apply, deliver, answerOf, outbox, read, laneOf } = await open();
        await apply(join('1.1', 'ada'), join('1.2', 'bob'));
        const lane = laneOf();
        const told = (await deliver()).filter(isLifecycle);
        await answerOf(outbox.replay({ appId: 'app-1', id: told[0]!.id }, 1));
        await deliver();
        await apply(join('1.3', 'cleo'));
        expect((await read(lane)).sent.get(room)).toEqual({ epoch: told[0]!.epoch, seq: 3 });
      });

      test('of a dead letter that is taken is the end of it', async () => {
        const { record, answerOf, outbox, lane, deliver } = await openWithWork();
        await answerOf(outbox.deadLetter(lane, (await record(lane)).id, '400'));
        expect(await answerOf(outbox.replay({ appId: 'app-1', state: 'dead' }, 10))).toBe(3);
        expect((await answerOf(outbox.backlogs()))[0]!.deadLetters).toBe(3);
        expect(dataOf(await deliver())).toEqual(['1', '2', '3']);
        expect((await answerOf(outbox.backlogs()))[0]!.deadLetters).toBe(0);
      });

      test('may be for one endpoint', async () => {
        const { open: openWith, outbox, answerOf, deliver } = await open();
        await openWith(endpoint('hook'), endpoint('other'));
        await answerOf(outbox.append([said('1')]));
        await deliver('hook');
        await deliver('other');
        expect(await answerOf(outbox.replay({ appId: 'app-1', endpointId: 'other' }, 10))).toBe(1);
        expect([await deliver('hook'), dataOf(await deliver('other'))]).toEqual([[], ['1']]);
      });
    });

    describe('a backlog that may keep nothing', () => {
      const full = { maxBacklogBytes: 1, graceMs: 0 };

      test('is folded: what cancels is left out, and a range says so before what is left', async () => {
        const { apply, deliver } = await open(full);
        await apply(join('1.1', 'ada'), join('1.2', 'bob'), leave('1.2'));
        expect(await deliver()).toMatchObject([
          {
            kind: 'spillway_coalesced',
            channel: room,
            fromSeq: 3,
            toSeq: 4,
            count: 2,
            epoch: expect.any(String),
          },
          { kind: 'channel_occupied', seq: 1 },
          { kind: 'member_added', seq: 2, userId: 'ada' },
        ]);
      });

      test('is read anew by whoever read it before', async () => {
        const { apply, read, laneOf, newBatch, answerOf, outbox } = await open(full);
        await apply(join('1.1', 'ada'));
        const { events, token } = await read(laneOf());
        await apply(leave('1.1'));
        const recorded = outbox.record(laneOf(), token, events.at(-1)!.position, newBatch([]));
        expect(await answerOf(recorded)).toBe(false);
      });

      test('says how many events were left out', async () => {
        const { apply, outbox, answerOf } = await open(full);
        await apply(join('1.1', 'ada'), leave('1.1'));
        expect((await answerOf(outbox.backlogs()))[0]!.coalesced).toBe(4);
      });

      test('leaves the oldest client events out, and says so', async () => {
        const { outbox, answerOf, deliver } = await open(full);
        await answerOf(outbox.append([said('1'), said('2')]));
        const told = await deliver();
        expect(told.reduce((sum, one) => sum + (one.kind === 'spillway_coalesced' ? one.count : 1), 0)).toBe(
          2,
        );
        expect(told).toContainEqual(expect.objectContaining({ kind: 'spillway_coalesced' }));
      });
    });

    test.each([
      ['that is kept', { graceMs: 100 }, false],
      ['that is folded', { graceMs: 0, maxBacklogBytes: 4_096 }, true],
    ])('1,000 changes come to the live state through a backlog %s', async (_, webhooks, isFolded) => {
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1_000, maxLength: 1_000 }), async (changes) => {
          const { apply, settle, elapse, deliver, outbox, answerOf } = await open(webhooks);
          const live = new Model();
          const told = new ToldState();
          let events = 0;
          const takeAll = async (): Promise<void> => {
            const taken = await deliver('hook', 7);
            events += taken.length;
            told.tell(taken);
          };
          for (let at = 0; at < changes.length; at += 10) {
            const slice = changes.slice(at, at + 10);
            await apply(...slice.flatMap((one) => live.apply(one)));
            if (slice[0]!.socket === '1.1') await elapse(100);
            if (slice[0]!.socket === '1.2') await takeAll();
          }
          await settle();
          await takeAll();
          const [backlog] = await answerOf(outbox.backlogs());
          expect([told.state, backlog!.events, backlog!.coalesced > 0]).toEqual([live.state, 0, isFolded]);
          // Folded often enough, few are left: what cancels is not told.
          expect(events).toBeGreaterThan(isFolded ? 0 : 50);
        }),
        { numRuns: fixture.longRuns, interruptAfterTimeLimit: 15_000 },
      );
    });
  });
}

const change = fc.record({
  kind: fc.constantFrom('join', 'leave'),
  socket: fc.constantFrom('1.1', '1.2', '1.3', '1.4', '1.5'),
  channel: fc.constantFrom('presence-x', 'presence-y', 'presence-z'),
  user: fc.constantFrom('ada', 'bob', 'cleo'),
});
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

/** Who is where. */
class Model {
  readonly #users = new Map<string, string>();

  apply({ kind, socket, channel, user }: Change) {
    const key = `${channel} ${socket}`;
    const gone = this.#users.delete(key) ? [leave(socket, { channel })] : [];
    if (kind === 'leave') return gone;
    this.#users.set(key, user);
    return [...gone, join(socket, user, { channel })];
  }

  get state(): readonly string[] {
    const channels = new Map<string, Set<string>>();
    for (const [key, user] of this.#users) {
      const channel = key.slice(0, key.indexOf(' '));
      channels.set(channel, (channels.get(channel) ?? new Set()).add(user));
    }
    return [...channels].map(([channel, users]) => [channel, ...[...users].sort()].join(' ')).sort();
  }
}
