import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LifecycleEvent, OutboxEvent } from '../../../lib/outbox/outbox-event.ts';
import { chainOf, toBody, toPayload } from '../../../lib/webhooks/payload.ts';

const told = { id: 'e-1', appId: 'shop', channel: 'presence-room', atMs: 1_700_000_000_000 };
const occupied: LifecycleEvent = { ...told, kind: 'channel_occupied', epoch: 'g-1', seq: 4 };

function lifecycle(seq: number, channel = 'room', epoch = 'g-1'): LifecycleEvent {
  return { ...occupied, id: `${epoch}-${seq}`, channel, epoch, seq };
}

describe('the payload of an event', () => {
  const shapes: Readonly<Record<string, readonly [OutboxEvent, string]>> = {
    'an occupied channel': [
      occupied,
      '{"name":"channel_occupied","channel":"presence-room","id":"e-1","seq":4,"prev_seq":3,"epoch":"g-1"}',
    ],
    'a member who was presumed gone': [
      { ...occupied, kind: 'member_removed', userId: 'ann', cause: 'node_lost' },
      '{"name":"member_removed","channel":"presence-room","user_id":"ann","id":"e-1","seq":4,"prev_seq":3,' +
        '"epoch":"g-1","cause":"node_lost"}',
    ],
    'a client event': [
      {
        ...told,
        kind: 'client_event',
        event: 'client-typing',
        data: '{"a":1}',
        socketId: '1.2',
        userId: 'ann',
      },
      '{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\\"a\\":1}",' +
        '"socket_id":"1.2","user_id":"ann","id":"e-1"}',
    ],
    'a client event of nobody in particular': [
      { ...told, kind: 'client_event', event: 'client-typing', data: 'x', socketId: '1.2' },
      '{"name":"client_event","channel":"presence-room","event":"client-typing","data":"x","socket_id":"1.2","id":"e-1"}',
    ],
    'a cache miss': [
      { ...told, kind: 'cache_miss' },
      '{"name":"cache_miss","channel":"presence-room","id":"e-1"}',
    ],
    'a subscription count, as an integer': [
      { ...told, kind: 'subscription_count', subscriptionCount: 12 },
      '{"name":"subscription_count","channel":"presence-room","subscription_count":12,"id":"e-1"}',
    ],
    'a coalesced range': [
      { ...told, kind: 'spillway_coalesced', epoch: 'g-1', fromSeq: 2, toSeq: 9, count: 8 },
      '{"name":"spillway_coalesced","channel":"presence-room","from_seq":2,"to_seq":9,"count":8,"id":"e-1","epoch":"g-1"}',
    ],
    'a coalesced range of events without seq': [
      { ...told, kind: 'spillway_coalesced', count: 8 },
      '{"name":"spillway_coalesced","channel":"presence-room","count":8,"id":"e-1"}',
    ],
  };

  test.each(Object.entries(shapes))(
    'has the fields of protocol.md 8, in order: %s',
    (_what, [event, json]) => {
      expect(JSON.stringify(toPayload(event, 3))).toBe(json);
    },
  );

  test('says 0 where the endpoint was sent nothing of the channel before', () => {
    expect(toPayload(occupied, undefined)).toMatchObject({ seq: 4, prev_seq: 0 });
  });
});

describe('the chain of a batch', () => {
  test('goes on from what the endpoint was sent, then from event to event', () => {
    const sent = new Map([['room', { epoch: 'g-1', seq: 3 }]]);
    expect(chainOf([lifecycle(4), lifecycle(5), lifecycle(8)], sent)).toEqual([3, 4, 5]);
    expect(sent.get('room')).toEqual({ epoch: 'g-1', seq: 3 });
  });

  test('is one per channel', () => {
    const events = [lifecycle(1, 'a'), lifecycle(1, 'b'), lifecycle(2, 'a'), lifecycle(2, 'b')];
    expect(chainOf(events, new Map())).toEqual([0, 0, 1, 1]);
  });

  test('starts with 0 in another epoch, whether that was sent before or comes in the batch', () => {
    const sent = new Map([['room', { epoch: 'g-1', seq: 3 }]]);
    expect(chainOf([lifecycle(1, 'room', 'g-2')], sent)).toEqual([0]);
    expect(chainOf([lifecycle(4), lifecycle(1, 'room', 'g-2'), lifecycle(2, 'room', 'g-2')], sent)).toEqual([
      3, 0, 1,
    ]);
  });

  test('leaves out kinds without seq, and a range that stands for others is not one that was sent', () => {
    const range: OutboxEvent = {
      ...told,
      channel: 'room',
      kind: 'spillway_coalesced',
      epoch: 'g-1',
      fromSeq: 2,
      toSeq: 5,
      count: 4,
    };
    const count: OutboxEvent = { ...told, channel: 'room', kind: 'subscription_count', subscriptionCount: 1 };
    expect(chainOf([lifecycle(1), range, count, lifecycle(6)], new Map())).toEqual([
      0,
      undefined,
      undefined,
      1,
    ]);
  });

  test('names for each event the one before it in its channel and epoch', () => {
    const histories = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('g-1', 'g-2')), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(histories, (steps) => {
        const events = steps.map(([channel, epoch], index) => lifecycle(index + 1, channel, epoch));
        const chain = chainOf(events, new Map());
        for (const [index, event] of events.entries()) {
          const before = events.slice(0, index).findLast(({ channel }) => channel === event.channel);
          expect(chain[index]).toBe(before?.epoch === event.epoch ? before.seq : 0);
        }
      }),
    );
  });
});

describe('the body of a request', () => {
  test('is the one of the vector in protocol.md 8, byte by byte', () => {
    const payloads = [{ name: 'channel_occupied', channel: 'my-channel' } as const];
    expect(toBody(1_327_078_148_132, payloads).toString()).toBe(
      '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}',
    );
  });

  test('is UTF-8, whatever clients wrote', () => {
    const body = toBody(1, [{ name: 'client_event', channel: 'c', data: 'å🎈\ud800' }]);
    expect(JSON.parse(body.toString('utf8'))).toEqual({
      time_ms: 1,
      events: [{ name: 'client_event', channel: 'c', data: 'å🎈\ud800' }],
    });
  });
});
